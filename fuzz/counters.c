/* Tells libFuzzer where the C++ code of core/native has been: GCC knows no other instrumentation than calls of
 * __sanitizer_cov_trace_pc, which the linker leads here. */

#include <stdint.h>

enum { COUNTERS = 1 << 16 };

/* libFuzzer finds them by the section, and clears them before each input. */
__attribute__((used, section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

extern const char __executable_start;

void __wrap___sanitizer_cov_trace_pc(void) {
    uint32_t place = (uint32_t)((uintptr_t)__builtin_return_address(0) - (uintptr_t)&__executable_start);
    counters[(place * 2654435761u) >> 16]++;
}
