// ggml's assertions, turned into exceptions where that is possible.
#pragma once

namespace zerohop {

// While one lives, an assertion that fails on this thread, or on those that
// compute for it, is thrown as a std::runtime_error instead of ending the process.
class assertions_thrown {
  public:
    assertions_thrown() noexcept;
    ~assertions_thrown();

    assertions_thrown(const assertions_thrown &)             = delete;
    assertions_thrown & operator=(const assertions_thrown &) = delete;
};

// Whether one lives on this thread.
bool assertions_are_thrown() noexcept;

}  // namespace zerohop
