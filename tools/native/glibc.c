// What newer headers or libstdc++ ask of glibc, and version 2.28 does not have. Linked into what is
// released, and seen by nothing else.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOCAL __attribute__((visibility("hidden")))

// From 2.32 on glibc says whether atomic counts can be spared: no is always right.
LOCAL char __libc_single_threaded = 0;

LOCAL int getcpu(unsigned *cpu, unsigned *node) { return (int)syscall(SYS_getcpu, cpu, node, NULL); }

LOCAL pid_t gettid(void) { return (pid_t)syscall(SYS_gettid); }

// From 2.36 on; libstdc++'s random_device may ask for it.
LOCAL uint32_t arc4random(void) {
  uint32_t number;
  if (getrandom(&number, sizeof number, 0) != sizeof number) abort();
  return number;
}

// From 2.30 on. Without it, what is left until a time of the steady clock is waited for on the other one.
LOCAL int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                 const struct timespec *until) {
  typedef int (*function)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
  function theirs = (function)dlsym(RTLD_DEFAULT, "pthread_cond_clockwait");
  if (theirs) return theirs(condition, mutex, clock, until);

  const long second = 1000000000;
  struct timespec now, end;
  if (clock_gettime(clock, &now) != 0 || clock_gettime(CLOCK_REALTIME, &end) != 0) return EINVAL;
  end.tv_sec += until->tv_sec - now.tv_sec;
  end.tv_nsec += until->tv_nsec - now.tv_nsec;
  if (end.tv_nsec >= second) {
    end.tv_sec += 1;
    end.tv_nsec -= second;
  } else if (end.tv_nsec < 0) {
    end.tv_sec -= 1;
    end.tv_nsec += second;
  }
  return pthread_cond_timedwait(condition, mutex, &end);
}
