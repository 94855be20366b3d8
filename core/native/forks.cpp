// Forks of the process, which copy what other threads have locked, for good: the child has none of the
// threads that would unlock it. So forks wait while a thread has something short locked that a child
// needs, here and in ggml; and what takes long is not locked.

#include "forks.hpp"

#include "ggml-threading.h"

#include <ctime>
#include <mutex>

#if defined(__unix__) || defined(__APPLE__)

#include <pthread.h>

namespace {

std::mutex held;
// How often this thread holds it: what logs while it does so may end here again.
thread_local unsigned holds = 0;

void hold() {
    if (holds++ == 0) {
        held.lock();
    }
}

void release() {
    if (--holds == 0) {
        held.unlock();
    }
}

void before_fork() {
    hold();
    ggml_critical_section_start();
}

void after_fork() {
    ggml_critical_section_end();
    release();
}

}  // namespace

extern "C" void zerohop_native_heed_forks() {
    static const int registered = pthread_atfork(before_fork, after_fork, after_fork);
    (void) registered;
}

extern "C" void zerohop_native_hold_forks() {
    hold();
}

extern "C" void zerohop_native_release_forks() {
    release();
}

// Each prompt that llama.cpp renders has the date, for which C's library locks the time zone. Its own
// function also gives all threads the same memory.
//
// The linker takes this one for llama.cpp's calls, as those of openmp.cpp; in a Rust program others'
// calls may end here too.
extern "C" __attribute__((visibility("hidden"), weak)) std::tm * localtime(const std::time_t * time) {
    static thread_local std::tm local;
    hold();
    std::tm * const found = localtime_r(time, &local);
    release();
    return found;
}

#else

extern "C" void zerohop_native_heed_forks() {}
extern "C" void zerohop_native_hold_forks() {}
extern "C" void zerohop_native_release_forks() {}

#endif
