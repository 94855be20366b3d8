// What is told of ggml's failing assertions, and when they are thrown: a part of the seam (seam.h).
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// Told of every assertion of ggml's that fails: what it says, and whether the
// process ends after the call.
typedef void (*zerohop_native_fault_callback)(const char * message, bool is_fatal);

// Sets the one callback of the process.
void zerohop_native_on_fault(zerohop_native_fault_callback report);

// Between a call with `true` and one with `false`, an assertion that fails on this
// thread is thrown as a C++ exception: for calls into llama.cpp that catch those
// themselves. The functions of this seam do it for themselves.
void zerohop_native_throw_assertions(bool enabled);

#ifdef __cplusplus
}
#endif
