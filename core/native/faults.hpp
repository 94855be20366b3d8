// ggml's assertions, turned into exceptions where that is possible.
#pragma once

namespace zerohop {

// While one lives, an assertion that fails on this thread, outside of ggml's
// parallel regions, is thrown as a std::runtime_error instead of ending the
// process.
class assertions_thrown {
  public:
    assertions_thrown() noexcept;
    ~assertions_thrown();

    assertions_thrown(const assertions_thrown &)             = delete;
    assertions_thrown & operator=(const assertions_thrown &) = delete;
};

}  // namespace zerohop
