// Runs a closure so that no exception leaves it.
#pragma once

#include "faults.hpp"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

namespace zerohop {

inline char * duplicate(const std::string & text) noexcept {
    char * copy = static_cast<char *>(std::malloc(text.size() + 1));
    if (copy != nullptr) {
        std::memcpy(copy, text.c_str(), text.size() + 1);
    }
    return copy;
}

inline void report(char ** error, const char * message) noexcept {
    if (error == nullptr) {
        return;
    }
    try {
        *error = duplicate(message);
    } catch (...) {
        *error = nullptr;
    }
}

// Returns the closure's value, or `fallback` with `*error` set when it throws or
// an assertion in it fails.
template <typename T, typename Body>
T guard(T fallback, char ** error, Body && body) noexcept {
    const assertions_thrown thrown;
    try {
        return body();
    } catch (const std::exception & exception) {
        report(error, exception.what());
    } catch (...) {
        report(error, "unknown C++ exception");
    }
    return fallback;
}

}  // namespace zerohop
