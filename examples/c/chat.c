/* Asks a question and prints the whole answer: chat MODEL.gguf */
#include "example.h"

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  zerohop_engine *engine = load(argv[1]);
  zerohop_response *reply = send_chat(
      engine,
      "{\"model\": \"chat\", \"temperature\": 0, \"max_completion_tokens\": 50, \"messages\": ["
      "{\"role\": \"user\", \"content\": \"What is the capital of France? Answer in one sentence.\"}]}");
  puts(zerohop_response_text(reply).data);
  zerohop_response_free(reply);
  zerohop_engine_free(engine);
  return 0;
}
