/* Stops an answer from another thread: cancel MODEL.gguf */
#include <pthread.h>
#include <time.h>

#include "example.h"

static void *cancel_soon(void *token) {
  const struct timespec pause = {0, 300 * 1000 * 1000};
  nanosleep(&pause, NULL);
  zerohop_cancel_token_cancel((const zerohop_cancel_token *)token);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  zerohop_engine *engine = load(argv[1]);
  zerohop_cancel_token *token = zerohop_cancel_token_new();
  /* It never ends by itself, but where the context does. */
  zerohop_request request = chat_request(
      "{\"model\": \"chat\", \"ignore_eos\": true, \"messages\": [{\"role\": \"user\", \"content\": \"Tell me a story.\"}]}");
  request.cancel = token;

  pthread_t thread;
  if (pthread_create(&thread, NULL, cancel_soon, token) != 0) return 1;
  zerohop_response *reply = NULL;
  zerohop_error *error = NULL;
  zerohop_status status = zerohop_send(engine, &request, &reply, &error);
  pthread_join(thread, NULL);
  if (status < ZEROHOP_OK) fail(status, error);
  printf("the call returned %s\n", zerohop_status_name(status));

  zerohop_response_free(reply);
  zerohop_cancel_token_free(token);
  zerohop_engine_free(engine);
  return 0;
}
