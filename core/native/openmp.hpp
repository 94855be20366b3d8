// The part of OpenMP that ggml uses: see openmp.cpp.
#pragma once

#include <cstdint>

namespace zerohop {

// Whether this thread computes for a parallel region of ours whose caller takes exceptions.
bool in_team_that_throws() noexcept;

}  // namespace zerohop

// A part of the seam: how many processors this process may use. Regions with more threads in
// all take turns.
extern "C" void zerohop_native_set_processors(uint32_t number);
