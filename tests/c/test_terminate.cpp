// The host's std::terminate handler is its own: ggml would replace it when it is loaded.
#include <dlfcn.h>

#include <exception>

#include "check.h"

namespace {

std::terminate_handler at_start = nullptr;

[[noreturn]] void own_handler() { std::_Exit(3); }

// What libstdc++ starts with; the library was loaded before main, so asking there alone would not tell.
void unchanged_by_being_linked() {
#ifdef __GLIBCXX__
  CHECK(at_start == &__gnu_cxx::__verbose_terminate_handler);
#endif
}

void unchanged_by_being_opened() {
  const char *const path = std::getenv("ZEROHOP_LIBRARY");
  if (path == nullptr) check_fatal("ZEROHOP_LIBRARY", "not set; start the tests through make");
  const std::terminate_handler before = std::set_terminate(own_handler);
  void *const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) check_fatal(path, dlerror());
  CHECK(std::get_terminate() == own_handler);
  std::set_terminate(before);
}

void unchanged_by_use() {
  const std::terminate_handler before = std::set_terminate(own_handler);
  zerohop_engine *const engine = check_engine(TINY);
  zerohop_response_free(check_chat(engine, CHAT("\"max_tokens\":3")));
  CHECK(std::get_terminate() == own_handler);
  zerohop_engine_free(engine);
  CHECK(std::get_terminate() == own_handler);
  std::set_terminate(before);
}

// A host's exceptions stay its own.
void exceptions_work_beside_it() {
  bool caught = false;
  zerohop_engine *const engine = check_engine(TINY);
  try {
    zerohop_response *const response = check_chat(engine, "{");
    zerohop_response_free(response);
    throw 7;
  } catch (int value) {
    caught = value == 7;
  }
  zerohop_engine_free(engine);
  CHECK(caught);
}

}  // namespace

int main() {
  at_start = std::get_terminate();
  RUN(unchanged_by_being_linked);
  RUN(unchanged_by_being_opened);
  RUN(unchanged_by_use);
  RUN(exceptions_work_beside_it);
  return check_finish();
}
