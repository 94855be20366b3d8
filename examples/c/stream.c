/* Prints the answer to a question as it comes: stream MODEL.gguf [QUESTION] */
#include "example.h"

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  char *question = json_string(argc > 2 ? argv[2] : "What is the capital of France? Answer in one sentence.");
  const char *format = "{\"model\": \"chat\", \"stream\": true, \"temperature\": 0, \"max_completion_tokens\": 200, "
                       "\"messages\": [{\"role\": \"user\", \"content\": %s}]}";
  size_t size = strlen(format) + strlen(question);
  char *body = (char *)malloc(size);
  if (body == NULL) return 1;
  snprintf(body, size, format, question);

  zerohop_engine *engine = load(argv[1]);
  zerohop_response *reply = send_chat(engine, body);
  zerohop_str event;
  zerohop_error *error = NULL;
  zerohop_status status;
  while ((status = zerohop_response_next(reply, &event, &error)) == ZEROHOP_OK) {
    /* `event` is the chunk's JSON, for programs that need more than the text. */
    zerohop_str text = zerohop_response_text(reply);
    if (text.len > 0) fwrite(text.data, 1, text.len, stdout);
    fflush(stdout);
  }
  if (status != ZEROHOP_END) fail(status, error);
  putchar('\n');

  zerohop_response_free(reply);
  zerohop_engine_free(engine);
  free(body);
  free(question);
  return 0;
}
