/* What is freed is given back: making and freeing again and again needs no more memory. */
#include <unistd.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__)
/* What was freed stays in quarantine; leaks are LeakSanitizer's business there. */
enum { ROUNDS = 10, ALLOWED_KIB = 1024 * 1024 };
#else
enum { ROUNDS = 60, ALLOWED_KIB = 8 * 1024 };
#endif

static long resident_kib(void) {
  long pages = 0, resident = 0;
  FILE *statm = fopen("/proc/self/statm", "r");
  if (!statm || fscanf(statm, "%ld %ld", &pages, &resident) != 2) check_fatal("/proc/self/statm", "not readable");
  fclose(statm);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static long growth_kib(void (*body)(void)) {
  for (int i = 0; i < 5; i++) body();
  long before = resident_kib();
  for (int i = 0; i < ROUNDS; i++) body();
  return resident_kib() - before;
}

static void load_chat_free(void) {
  zerohop_engine *engine = check_engine(TINY);
  zerohop_response_free(check_chat(engine, CHAT("\"max_tokens\":4")));
  zerohop_response *stream = check_chat(engine, CHAT_STREAM("\"max_tokens\":400"));
  zerohop_str event;
  zerohop_response_next(stream, &event, NULL);
  zerohop_response_free(stream);
  zerohop_engine_free(engine);
}

static zerohop_engine *engine;
static zerohop_cancel_token *token;

static void many_requests(void) {
  for (int i = 0; i < 20; i++) {
    zerohop_request request = check_request("POST", "/v1/chat/completions", CHAT("\"max_tokens\":1"));
    request.cancel = token;
    zerohop_response *response = NULL;
    zerohop_error *error = NULL;
    CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_OK, error);
    zerohop_response_free(response);
    /* And a failure, whose error is freed. */
    request.path = zerohop_str_of("no slash");
    CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_INVALID_ARGUMENT, error);
  }
}

static void engines_give_their_memory_back(void) {
  CHECK(growth_kib(load_chat_free) < ALLOWED_KIB);
}

static void requests_give_their_memory_back(void) {
  engine = check_engine(TINY);
  token = zerohop_cancel_token_new();
  CHECK(growth_kib(many_requests) < ALLOWED_KIB);
  zerohop_cancel_token_free(token);
  zerohop_engine_free(engine);
}

int main(void) {
  RUN(engines_give_their_memory_back);
  RUN(requests_give_their_memory_back);
  return check_finish();
}
