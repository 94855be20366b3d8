// Stops an answer from another thread: cancel MODEL.gguf
#include <chrono>
#include <iostream>
#include <thread>

#include <zerohop.hpp>

int main(int argc, char **argv) try {
  if (argc < 2) return 2;
  const zerohop::Engine engine(zerohop::Model("chat", argv[1]));
  const zerohop::CancelToken token;
  std::thread other([&token] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    token.cancel();
  });
  int result = 1;
  try {
    // It never ends by itself, but where the context does.
    engine.post("/v1/chat/completions",
                R"({"model": "chat", "ignore_eos": true, "messages": [{"role": "user", "content": "Tell me a story."}]})",
                &token);
  } catch (const zerohop::Error &error) {
    result = error.cancelled() ? 0 : 1;
    std::cout << "the call ended with " << zerohop_status_name(error.status()) << "\n";
  }
  other.join();
  return result;
} catch (const zerohop::Error &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
