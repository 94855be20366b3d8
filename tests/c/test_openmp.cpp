// Computing threads: the part of OpenMP that the library brings, compiled into this program.
#include "../../core/native/openmp.cpp"

#include "check.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace {

// What a guarded native call sets.
thread_local bool guarded = false;

struct guard {
  guard() { guarded = true; }
  ~guard() { guarded = false; }
};

template <typename Body> void region(unsigned threads, Body body) {
  GOMP_parallel([](void *data) { (*static_cast<Body *>(data))(); }, &body, threads, 0);
}

void every_thread_has_its_number() {
  const guard guard;
  for (unsigned threads : {1u, 2u, 3u, 8u, 64u}) {
    std::vector<std::atomic<int>> seen(threads);
    std::atomic<int> size{0};
    region(threads, [&] {
      seen[static_cast<size_t>(omp_get_thread_num())]++;
      size = omp_get_num_threads();
    });
    CHECK_INT(size, threads);
    for (const auto &count : seen) CHECK_INT(count, 1);
  }
  CHECK_INT(omp_get_num_threads(), 1);
  CHECK_INT(omp_get_thread_num(), 0);
}

void barriers_order_what_threads_do() {
  const guard guard;
  constexpr int ROUNDS = 300;
  for (unsigned threads : {2u, 3u, 8u}) {
    // Plain memory, so that ThreadSanitizer sees a barrier that does not hold.
    std::vector<int> rounds(threads);
    std::atomic<int> late{0};
    int singles = 0;
    region(threads, [&] {
      const auto self = static_cast<size_t>(omp_get_thread_num());
      for (int round = 1; round <= ROUNDS; ++round) {
        rounds[self] = round;
        if (GOMP_single_start()) singles++;
        GOMP_barrier();
        for (int other : rounds) late += other != round;
        GOMP_barrier();
      }
    });
    CHECK_INT(late, 0);
    CHECK_INT(singles, ROUNDS);
  }
}

void loops_are_shared_out() {
  const guard guard;
  for (unsigned threads : {1u, 3u, 7u}) {
    for (const auto &[start, end, step] : {std::tuple<long, long, long>{0, 100, 1}, {3, 20, 4}, {10, 0, -3}, {5, 5, 1}}) {
      std::atomic<long> sum{0};
      long expected = 0;
      for (long i = start; step > 0 ? i < end : i > end; i += step) expected += i + 1000;
      const long from = start, to = end, by = step;
      region(threads, [&] {
        long low, high;
        if (GOMP_loop_nonmonotonic_dynamic_start(from, to, by, 64, &low, &high)) {
          do {
            for (long i = low; by > 0 ? i < high : i > high; i += by) {
              GOMP_atomic_start();
              sum = sum + i + 1000;
              GOMP_atomic_end();
            }
          } while (GOMP_loop_nonmonotonic_dynamic_next(&low, &high));
        }
        GOMP_loop_end();
      });
      CHECK_INT(sum, expected);
    }
  }
}

void an_exception_ends_the_region_everywhere() {
  const guard guard;
  for (int failing = 0; failing < 4; ++failing) {
    std::atomic<int> after{0};
    std::string caught;
    try {
      region(4, [&] {
        GOMP_barrier();
        if (omp_get_thread_num() == failing) throw std::string("assertion");
        // The others wait for a thread that never comes, now or later.
        GOMP_barrier();
        after++;
      });
    } catch (const std::string &thrown) {
      caught = thrown;
    }
    CHECK_STR(caught.c_str(), "assertion");
    CHECK_INT(after, 0);
    // The threads are there for the next one.
    std::atomic<int> ran{0};
    region(4, [&] { ran++; });
    CHECK_INT(ran, 4);
  }
}

void may_throw_is_what_the_caller_said() {
  std::atomic<int> prepared{0};
  {
    const guard guard;
    region(3, [&] { prepared += zerohop::in_team_that_throws(); });
  }
  CHECK_INT(prepared, 3);
  CHECK(!zerohop::in_team_that_throws());
}

void a_region_within_another_has_one_thread() {
  const guard guard;
  std::atomic<int> inner{0}, outer{0};
  region(3, [&] {
    region(5, [&] { inner += omp_get_num_threads(); });
    outer += omp_get_num_threads();
  });
  CHECK_INT(inner, 3);
  CHECK_INT(outer, 9);
  // And so has one that leaves the number open.
  region(0, [&] { CHECK_INT(omp_get_num_threads(), 1); });
}

void many_callers_at_once() {
  std::vector<std::thread> callers;
  std::atomic<int> ran{0};
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&] {
      const guard guard;
      for (int turn = 0; turn < 60; ++turn) {
        region(3, [&] {
          GOMP_barrier();
          ran++;
        });
      }
    });
  }
  for (auto &caller : callers) caller.join();
  CHECK_INT(ran, 8 * 60 * 3);
}

// With two processors, teams of two threads come one after another, but for those that last.
void teams_take_turns_up_to_a_limit() {
  zerohop_native_set_processors(2);
  std::atomic<int> inside{0}, most{0};
  std::atomic<bool> was_slow{false};
  const auto caller = [&](int turns, std::chrono::milliseconds each) {
    const guard guard;
    for (int turn = 0; turn < turns; ++turn) {
      const auto started = std::chrono::steady_clock::now();
      region(2, [&] {
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::sleep_for(each);
        GOMP_barrier();
        --inside;
        GOMP_barrier();
      });
      if (std::chrono::steady_clock::now() - started >= PATIENCE) was_slow = true;
    }
  };
  // A team waits while another's steps are shorter than its patience.
  std::thread one(caller, 20, std::chrono::milliseconds(1));
  caller(20, std::chrono::milliseconds(1));
  one.join();
  CHECK(most == 2 || was_slow);
  std::thread other(caller, 1, PATIENCE * 20);
  caller(1, PATIENCE * 20);
  other.join();
  CHECK_INT(most, 4);
  CHECK_INT(crowds, 0);
}

// ThreadSanitizer takes no threads after a fork.
#if !defined(__SANITIZE_THREAD__)
// Runs in a child process; returns what it exits with.
template <typename Body> int child(Body body) {
  fflush(stdout);
  const pid_t process = fork();
  if (process == 0) _exit(body());
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int threads_of(unsigned threads) {
  const guard guard;
  std::atomic<int> ran{0};
  region(threads, [&] {
    GOMP_barrier();
    ran++;
  });
  return ran;
}

void a_child_has_threads_of_its_own() {
  CHECK_INT(threads_of(3), 3);
  CHECK_INT(child([] { return threads_of(3); }), 3);
  CHECK_INT(threads_of(3), 3);
}

// AddressSanitizer wants the address space for itself.
#if !defined(__SANITIZE_ADDRESS__)
void with_no_thread_to_be_had_a_region_has_fewer() {
  const int ran = child([] {
    const rlimit limit{1 << 20, 1 << 20};
    // No room for another stack.
    setrlimit(RLIMIT_AS, &limit);
    return threads_of(200);
  });
  CHECK(ran >= 1 && ran < 200);
}
#endif
#endif

void others_calls_go_to_libgomp() {
  void *library = dlopen("libgomp.so.1", RTLD_LAZY);
  if (library == nullptr) {
    printf("no libgomp.so.1 here\n");
    return;
  }
  const auto level = reinterpret_cast<int (*)()>(dlsym(library, "omp_get_level"));
  const auto number = reinterpret_cast<int (*)()>(dlsym(library, "omp_get_thread_num"));
  std::atomic<int> theirs{0}, threads{0}, same{0};
  region(3, [&] {
    theirs += level();
    threads = omp_get_num_threads();
    same += number() == omp_get_thread_num();
    GOMP_barrier();
  });
  CHECK_INT(theirs, 3);
  CHECK_INT(threads, 3);
  CHECK_INT(same, 3);
  // A guarded call's do not.
  const guard guard;
  std::atomic<int> ours{0};
  region(3, [&] { ours += level() == 0; });
  CHECK_INT(ours, 3);
}

}  // namespace

namespace zerohop {

bool assertions_are_thrown() noexcept { return guarded; }

}  // namespace zerohop

int main() {
  zerohop_native_set_processors(64);
  RUN(every_thread_has_its_number);
  RUN(barriers_order_what_threads_do);
  RUN(loops_are_shared_out);
  RUN(an_exception_ends_the_region_everywhere);
  RUN(may_throw_is_what_the_caller_said);
  RUN(a_region_within_another_has_one_thread);
  RUN(many_callers_at_once);
  RUN(teams_take_turns_up_to_a_limit);
#if !defined(__SANITIZE_THREAD__)
  RUN(a_child_has_threads_of_its_own);
#if !defined(__SANITIZE_ADDRESS__)
  RUN(with_no_thread_to_be_had_a_region_has_fewer);
#endif
#endif
  RUN(others_calls_go_to_libgomp);
  return check_finish();
}
