// What one call may spend on running chat templates, which are programs of
// whoever made the model file.
//
// core/build.rs compiles llama.cpp's interpreter (common/jinja) with calls of the
// functions below put in at every step and where text or lists grow.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zerohop {

// Opens a budget for this thread while it lives. It has to be the only one.
class template_budget {
  public:
    // `input_size` is that of the request, in bytes: longer ones take longer.
    explicit template_budget(size_t input_size);
    ~template_budget();

    template_budget(const template_budget &)             = delete;
    template_budget & operator=(const template_budget &) = delete;

    // Throws if the budget is spent: for callers that llama.cpp has kept the first
    // exception from.
    void check() const;
};

// All of these throw std::runtime_error when the budget of this thread is spent; without one they do
// nothing.

// Counts a step; checks the time and the stack.
void template_step();

// Counts text that is made: `count` times `length` bytes. Gives back `length`.
size_t template_text(size_t length, size_t count = 1);

}  // namespace zerohop
