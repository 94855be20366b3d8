// The limits of a running chat template.

#include "template_budget.hpp"

#include <time.h>

#include <stdexcept>

namespace {

// Real templates take some hundred steps for a message, of at least 40 bytes.
constexpr uint64_t STEPS          = 1'000'000;
constexpr uint64_t STEPS_PER_BYTE = 64;
// Every mention of a text counts as making it.
constexpr uint64_t TEXT           = 32 << 20;
constexpr uint64_t TEXT_PER_BYTE  = 256;
// Processor time of this thread.
constexpr uint64_t NANOSECONDS          = 400'000'000;
constexpr uint64_t NANOSECONDS_PER_BYTE = 2'000;
// A macro that calls itself takes about a KiB for each call. The rest of the
// thread's stack is for what recurses without steps: parsing, and freeing values.
constexpr uintptr_t STACK = 8 << 20;

struct budget {
    bool      is_open   = false;
    bool      is_spent  = false;
    uint64_t  steps     = 0;
    uint64_t  text      = 0;
    uint64_t  deadline  = 0;
    uintptr_t stack_end = 0;
};

thread_local budget current;

uint64_t thread_time() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Where the stack is now; it grows downwards.
uintptr_t stack_position() {
    return reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
}

[[noreturn]] void spend(const char * message) {
    current.is_spent = true;
    throw std::runtime_error(message);
}

}  // namespace

namespace zerohop {

template_budget::template_budget(size_t input_size) {
    current.is_open   = true;
    current.is_spent  = false;
    current.steps     = STEPS + STEPS_PER_BYTE * input_size;
    current.text      = TEXT + TEXT_PER_BYTE * input_size;
    current.deadline  = thread_time() + NANOSECONDS + NANOSECONDS_PER_BYTE * input_size;
    current.stack_end = stack_position() - STACK;
}

template_budget::~template_budget() {
    current.is_open = false;
}

void template_budget::check() const {
    if (current.is_spent) {
        throw std::runtime_error("it runs for too long, nests too deeply or makes too much text");
    }
}

void template_step() {
    if (!current.is_open) {
        return;
    }
    // Not again for every exception handler that goes on: a spent budget stays so.
    if (current.is_spent || current.steps == 0) {
        spend("it runs for too long");
    }
    current.steps--;
    if (current.steps % 64 == 0 && thread_time() > current.deadline) {
        spend("it runs for too long");
    }
    if (stack_position() < current.stack_end) {
        spend("it nests too deeply");
    }
}

size_t template_text(size_t length, size_t count) {
    if (current.is_open && length != 0 && count != 0) {
        if (current.is_spent || current.text / length < count) {
            spend("it makes too much text");
        }
        current.text -= length * count;
    }
    return length;
}

}  // namespace zerohop
