// What stable-diffusion.cpp's sources, as build.rs changes them, call or look at.
#pragma once

#include <atomic>
#include <exception>

#include "faults.hpp"

namespace zerohop {

// Whether the step that this thread computes is to show what it has so far.
extern thread_local bool preview_wanted;

// Called after each step of the sampler; throws when the caller wants no more.
void step_done(int step, int steps);

// Runs what a thread that reads weights does: nothing that it throws may end the process.
template <typename Body> void read_weights(std::atomic<bool> & failed, Body && body) noexcept {
    const assertions_thrown thrown;
    try {
        body();
    } catch (...) {
        failed = true;
    }
}

}  // namespace zerohop
