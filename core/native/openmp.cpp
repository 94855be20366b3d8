// The part of OpenMP that ggml uses, in place of libgomp's.
//
// A library inside somebody's program shares the processors with the program's own threads.
// libgomp's threads wait for each other by spinning, so that a thread which waits takes the
// processor from the one that it waits for; what would change that are environment variables,
// which are the program's. Here, threads spin for some microseconds and then sleep, and teams
// (of several models, say) compute one after the other where there are not enough processors.
//
// Besides:
// - An exception (a failed assertion of ggml's, see faults.cpp) ends the region on all its
//   threads and goes on in the thread that opened it, where libgomp would end the process.
// - Where no thread can be started, a region runs with fewer; libgomp would end the process.
// - After a fork, the child starts threads of its own.
//
// The linker takes these functions for ggml's calls because it meets them before libgomp.
// They are hidden in our libraries. In a Rust program others' calls may end here too: what
// does not come from a guarded native call is passed on to libgomp.
//
// The functions are those that GCC calls for ggml's pragmas (its libgomp/libgomp_g.h and
// omp-builtins.def). Other compilers call others, of their own runtime, and this is not used.

#include "openmp.hpp"

#include "faults.hpp"

#include <atomic>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <utility>

#if defined(__linux__)

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// How often a thread looks before it sleeps, with a pause in between: some 50 to 200
// microseconds, which few waits in a step exceed as long as all threads of the team run.
constexpr int SPINS = 4000;
// The same while more threads compute than there are processors: about as long as it takes
// to sleep and be woken, since the thread waited for may need this one's processor.
constexpr int SPINS_IN_A_CROWD = 200;
// How long a team waits for another's end before both compute at once. The steps of a model
// are shorter, mostly; what takes longer, such as an image's encoding, must not hold them up.
constexpr std::chrono::milliseconds PATIENCE{ 50 };

// What `zerohop_native_set_processors` was told.
std::atomic<unsigned> number_of_processors{ 1 };

// Teams that compute although the processors were lent to others already.
std::atomic<unsigned> crowds{ 0 };

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}

// A number that threads wait for to change.
class signal {
  public:
    uint32_t load() const noexcept { return value.load(std::memory_order_acquire); }

    void advance() noexcept {
        // In one order with what `wait` does to `sleepers`: either that sees the new value,
        // or this sees the sleeper.
        value.fetch_add(1, std::memory_order_seq_cst);
        if (sleepers.load(std::memory_order_seq_cst) > 0) {
            futex(FUTEX_WAKE_PRIVATE, INT_MAX);
        }
    }

    // Returns once the value is not `old`.
    void wait(uint32_t old) noexcept {
        const int spins = crowds.load(std::memory_order_relaxed) == 0 ? SPINS : SPINS_IN_A_CROWD;
        for (int spin = 0; spin < spins; ++spin) {
            if (load() != old) {
                return;
            }
            pause();
        }
        sleepers.fetch_add(1, std::memory_order_seq_cst);
        while (value.load(std::memory_order_seq_cst) == old) {
            futex(FUTEX_WAIT_PRIVATE, old);
        }
        sleepers.fetch_sub(1, std::memory_order_relaxed);
    }

  private:
    void futex(int operation, uint32_t number) noexcept {
        static_assert(sizeof value == sizeof number, "what the kernel compares");
        syscall(SYS_futex, &value, operation, number, nullptr, nullptr, 0);
    }

    std::atomic<uint32_t> value{ 0 };
    std::atomic<uint32_t> sleepers{ 0 };
};

// What leaves a barrier when another thread of the team has failed.
struct team_failed {};

// The threads of one parallel region.
class team {
  public:
    team(unsigned threads, bool may_throw, void (*region)(void *), void * data) noexcept :
        threads(threads),
        may_throw(may_throw),
        waiting(threads),
        region(region),
        data(data) {}

    // Runs the region as thread `number`.
    void run(unsigned number) noexcept;

    // Returns when all threads have come here; throws once one of them has failed.
    void barrier() {
        const uint32_t round = released.load();
        if (!has_failed.load(std::memory_order_acquire)) {
            if (waiting.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                waiting.store(threads, std::memory_order_relaxed);
                released.advance();
            } else {
                released.wait(round);
            }
        }
        if (has_failed.load(std::memory_order_acquire)) {
            throw team_failed();
        }
    }

    // Whether the caller is the first to come to its `single` construct of that number.
    bool is_first_at(uint32_t construct) noexcept {
        return singles.compare_exchange_strong(construct, construct + 1, std::memory_order_acq_rel);
    }

    // What a thread has thrown, once all have ended.
    std::exception_ptr failure() const noexcept { return exception; }

    const unsigned threads;
    // Whether the caller of the region is prepared for exceptions.
    const bool may_throw;

  private:
    // Ends the waiting of the others, now and at the barriers to come.
    void fail(std::exception_ptr reason) noexcept {
        if (!has_failed.exchange(true)) {
            exception = std::move(reason);
        }
        released.advance();
    }

    // At the barrier: the threads that have yet to come, and how often all have come.
    std::atomic<unsigned> waiting;
    signal released;
    std::atomic<uint32_t> singles{ 0 };
    std::atomic<bool> has_failed{ false };
    std::exception_ptr exception;
    void (*const region)(void *);
    void * const data;
};

// What this thread is in its team.
struct membership {
    team * of = nullptr;
    unsigned number = 0;
    // `single` constructs that the thread has come to.
    uint32_t singles = 0;
};

thread_local membership member;

void team::run(unsigned number) noexcept {
    const membership outer = member;
    member = { this, number, 0 };
    try {
        region(data);
    } catch (const team_failed &) {
        // Another thread's failure, which that has told of.
    } catch (...) {
        fail(std::current_exception());
    }
    member = outer;
}

// A thread that computes for teams, one after another. It is never freed.
class worker {
  public:
    // The next one of its team, or of those that are idle.
    worker * next = nullptr;

    // Whether the thread has been started.
    bool start() noexcept {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, main, this) != 0) {
            return false;
        }
        pthread_setname_np(thread, "zerohop-compute");
        pthread_detach(thread);
        return true;
    }

    void begin(team & joined, unsigned as_number) noexcept {
        assigned = &joined;
        number = as_number;
        begun.advance();
    }

    // Returns when the worker has done its part. It does not look at the team any more.
    void await() noexcept { ended.wait(begun.load() - 1); }

  private:
    static void * main(void * self) noexcept {
        worker & worker = *static_cast<class worker *>(self);
        for (uint32_t round = 0;; ++round) {
            worker.begun.wait(round);
            worker.assigned->run(worker.number);
            worker.ended.advance();
        }
    }

    team * assigned = nullptr;
    unsigned number = 0;
    signal begun;
    signal ended;
};

// The processors of this process, which are lent to teams.
class processors {
  public:
    // Waits until so many are free, but not for long. Returns whether they are lent.
    bool borrow(unsigned count) {
        std::unique_lock<std::mutex> lock(mutex);
        const bool is_lent = returned.wait_for(lock, PATIENCE, [&] { return lent == 0 || lent + count <= number_of_processors; });
        if (is_lent) {
            lent += count;
        }
        return is_lent;
    }

    void give_back(unsigned count) {
        const std::lock_guard<std::mutex> lock(mutex);
        lent -= count;
        returned.notify_all();
    }

  private:
    std::mutex mutex;
    std::condition_variable returned;
    unsigned lent = 0;
};

// The processors that one team has, or shares with others.
class place {
  public:
    place(processors & of, unsigned threads) : of(of), threads(threads), is_lent(of.borrow(threads)) {
        if (!is_lent) {
            crowds++;
        }
    }

    ~place() {
        if (is_lent) {
            of.give_back(threads);
        } else {
            crowds--;
        }
    }

    place(const place &) = delete;
    place & operator=(const place &) = delete;

  private:
    processors & of;
    const unsigned threads;
    const bool is_lent;
};

// The workers of this process that have nothing to do, and its processors.
class pool {
  public:
    // At most `count` workers; fewer where threads cannot be started.
    worker * take(unsigned count) noexcept {
        worker * taken = nullptr;
        for (; count > 0; --count) {
            worker * one = take_idle();
            if (one == nullptr) {
                one = new (std::nothrow) worker;
                if (one == nullptr || !one->start()) {
                    delete one;
                    break;
                }
            }
            one->next = taken;
            taken = one;
        }
        return taken;
    }

    void give_back(worker * workers) noexcept {
        const std::lock_guard<std::mutex> lock(mutex);
        while (workers != nullptr) {
            worker * next = workers->next;
            workers->next = idle;
            idle = workers;
            workers = next;
        }
    }

    // This process's. A child has none of its parent's threads; what a fork found locked
    // stays so.
    static pool & current() {
        static std::atomic<pool *> existing{ nullptr };
        const pid_t process = getpid();
        pool * found = existing.load(std::memory_order_acquire);
        while (found == nullptr || found->process != process) {
            pool * created = new pool(process, found);
            if (existing.compare_exchange_strong(found, created, std::memory_order_acq_rel)) {
                crowds = 0;
                return *created;
            }
            delete created;
        }
        return *found;
    }

    processors all;

  private:
    pool(pid_t process, const pool * parents) noexcept : process(process), parents(parents) {}

    worker * take_idle() noexcept {
        const std::lock_guard<std::mutex> lock(mutex);
        worker * one = idle;
        if (one != nullptr) {
            idle = one->next;
        }
        return one;
    }

    const pid_t process;
    // The parent process's, which nobody can free any more: so leak checkers see that it is known.
    [[maybe_unused]] const pool * const parents;
    std::mutex mutex;
    worker * idle = nullptr;
};

// A team of the calling thread and of workers.
void run_team(pool & pool, void (*region)(void *), void * data, unsigned threads) {
    const place place(pool.all, threads);
    worker * const taken = pool.take(threads - 1);
    unsigned size = 1;
    for (const worker * one = taken; one != nullptr; one = one->next) {
        ++size;
    }
    team team(size, zerohop::assertions_are_thrown(), region, data);
    unsigned number = 0;
    for (worker * one = taken; one != nullptr; one = one->next) {
        one->begin(team, ++number);
    }
    team.run(0);
    for (worker * one = taken; one != nullptr; one = one->next) {
        one->await();
    }
    pool.give_back(taken);
    if (team.failure()) {
        std::rethrow_exception(team.failure());
    }
}

void parallel(void (*region)(void *), void * data, unsigned threads) {
    // A region within another, and one that leaves the number of threads open (only ggml's
    // quantising does), has the calling thread alone.
    if (member.of != nullptr || threads <= 1) {
        team alone(1, zerohop::assertions_are_thrown(), region, data);
        alone.run(0);
        if (alone.failure()) {
            std::rethrow_exception(alone.failure());
        }
        return;
    }
    run_team(pool::current(), region, data, threads);
}

// Whether a call comes from ggml on our behalf.
bool is_ours() noexcept {
    return member.of != nullptr || zerohop::assertions_are_thrown();
}

// libgomp's function of that name, for callers that are not ours; null where there is no libgomp.
template <typename Function> Function * theirs(const char * name) noexcept {
    static void * const library = dlopen("libgomp.so.1", RTLD_LAZY | RTLD_LOCAL);
    return library == nullptr ? nullptr : reinterpret_cast<Function *>(dlsym(library, name));
}

// GOMP_atomic_start's.
std::mutex atomic_mutex;

}  // namespace

namespace zerohop {

bool in_team_that_throws() noexcept {
    return member.of != nullptr && member.of->may_throw;
}

}  // namespace zerohop

extern "C" void zerohop_native_set_processors(uint32_t number) {
    number_of_processors = number;
}

#define ZEROHOP_OPENMP extern "C" __attribute__((visibility("hidden"), weak))

// libgomp's function of the same name and type, if the caller is not ours.
#define ZEROHOP_THEIRS(name)                                             \
    [] {                                                                 \
        if (is_ours()) {                                                 \
            return static_cast<decltype(&name)>(nullptr);                \
        }                                                                \
        static const auto found = theirs<decltype(name)>(#name);         \
        return found;                                                    \
    }()

ZEROHOP_OPENMP void GOMP_parallel(void (*region)(void *), void * data, unsigned threads, unsigned flags) {
    if (const auto function = ZEROHOP_THEIRS(GOMP_parallel)) {
        return function(region, data, threads, flags);
    }
    parallel(region, data, threads);
}

ZEROHOP_OPENMP void GOMP_barrier() {
    if (const auto function = ZEROHOP_THEIRS(GOMP_barrier)) {
        return function();
    }
    if (member.of != nullptr) {
        member.of->barrier();
    }
}

ZEROHOP_OPENMP bool GOMP_single_start() {
    if (const auto function = ZEROHOP_THEIRS(GOMP_single_start)) {
        return function();
    }
    return member.of == nullptr || member.of->is_first_at(member.singles++);
}

ZEROHOP_OPENMP int omp_get_thread_num() {
    if (const auto function = ZEROHOP_THEIRS(omp_get_thread_num)) {
        return function();
    }
    return static_cast<int>(member.number);
}

ZEROHOP_OPENMP int omp_get_num_threads() {
    if (const auto function = ZEROHOP_THEIRS(omp_get_num_threads)) {
        return function();
    }
    return member.of == nullptr ? 1 : static_cast<int>(member.of->threads);
}

// A share of the iterations for each thread of the team, all at once.
ZEROHOP_OPENMP bool GOMP_loop_nonmonotonic_dynamic_start(long start, long end, long step, long chunk, long * from,
                                                         long * to) {
    if (const auto function = ZEROHOP_THEIRS(GOMP_loop_nonmonotonic_dynamic_start)) {
        return function(start, end, step, chunk, from, to);
    }
    const long threads = omp_get_num_threads();
    const long count = (end - start + step - (step > 0 ? 1 : -1)) / step;
    *from = start + step * (count * omp_get_thread_num() / threads);
    *to = start + step * (count * (omp_get_thread_num() + 1) / threads);
    return *from != *to;
}

ZEROHOP_OPENMP bool GOMP_loop_nonmonotonic_dynamic_next(long * from, long * to) {
    if (const auto function = ZEROHOP_THEIRS(GOMP_loop_nonmonotonic_dynamic_next)) {
        return function(from, to);
    }
    return false;
}

ZEROHOP_OPENMP void GOMP_loop_end() {
    if (const auto function = ZEROHOP_THEIRS(GOMP_loop_end)) {
        return function();
    }
    GOMP_barrier();
}

ZEROHOP_OPENMP void GOMP_atomic_start() {
    if (const auto function = ZEROHOP_THEIRS(GOMP_atomic_start)) {
        return function();
    }
    atomic_mutex.lock();
}

ZEROHOP_OPENMP void GOMP_atomic_end() {
    if (const auto function = ZEROHOP_THEIRS(GOMP_atomic_end)) {
        return function();
    }
    atomic_mutex.unlock();
}

#else

namespace zerohop {

bool in_team_that_throws() noexcept {
    return false;
}

}  // namespace zerohop

extern "C" void zerohop_native_set_processors(uint32_t) {}

#endif
