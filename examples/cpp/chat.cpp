// Asks a question and prints the whole answer: chat MODEL.gguf
#include <iostream>

#include <zerohop.hpp>

int main(int argc, char **argv) try {
  if (argc < 2) return 2;
  const zerohop::Engine engine(zerohop::Model("chat", argv[1]));
  zerohop::Response reply = engine.post("/v1/chat/completions", R"({
    "model": "chat", "temperature": 0, "max_completion_tokens": 50,
    "messages": [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
  })");
  std::cout << (reply.ok() ? reply.text() : reply.body()) << "\n";
  return reply.ok() ? 0 : 1;
} catch (const zerohop::Error &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
