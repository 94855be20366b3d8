// What happens when an assertion of ggml's fails.
//
// ggml_abort calls our function before it ends the process. An exception that
// leaves it passes through ggml_abort and whatever C called that, which hold no
// resources but memory, and then through llama.cpp's C++ in the usual way. All of
// it has unwind tables, which x86-64 and AArch64 have for C too.

#include "faults.hpp"
#include "faults.h"
#include "openmp.hpp"

#include "ggml.h"

#include <atomic>
#include <cstring>
#include <stdexcept>

static thread_local int guards = 0;

static std::atomic<zerohop_native_fault_callback> report_fault{ nullptr };

// Without the folders of the machine that built it: the message may reach whoever sent a request.
static const char * without_folders(const char * message) {
    const char * end  = std::strchr(message, ':');
    const char * name = message;
    for (const char * at = message; end != nullptr && at < end; at++) {
        if (*at == '/') {
            name = at + 1;
        }
    }
    return name;
}

static void on_abort(const char * whole) {
    const char * message  = without_folders(whole);
    const bool   is_thrown = zerohop::in_team_that_throws() || zerohop::assertions_are_thrown();
    if (const auto report = report_fault.load()) {
        report(message, !is_thrown);
    }
    if (is_thrown) {
        throw std::runtime_error(message);
    }
}

namespace zerohop {

assertions_thrown::assertions_thrown() noexcept {
    guards++;
}

assertions_thrown::~assertions_thrown() {
    guards--;
}

bool assertions_are_thrown() noexcept {
    return guards > 0;
}

}  // namespace zerohop

extern "C" void zerohop_native_on_fault(zerohop_native_fault_callback report) {
    report_fault = report;
    ggml_set_abort_callback(on_abort);
}
