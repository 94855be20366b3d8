/* What is freed is given back: making and freeing again and again needs no more memory. */
#include <unistd.h>

#include "check.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* The resident memory, without what the allocator keeps for later. */
static long resident_kib(void) {
#if defined(__SANITIZE_ADDRESS__)
  /* What was freed stays in quarantine; leaks are LeakSanitizer's business here. */
  return 0;
#else
  long pages = 0, resident = 0;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  FILE *statm = fopen("/proc/self/statm", "r");
  if (!statm || fscanf(statm, "%ld %ld", &pages, &resident) != 2) check_fatal("/proc/self/statm", "not readable");
  fclose(statm);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
#endif
}

/*
 * Whether memory stops growing while `round` runs again and again.
 *
 * A leak grows in every round, while a process that settles (new arenas, fuller caches) grows in
 * some. So there must be eight rounds that on average grow by less than half of `leak_kib`, which is
 * what the smallest leak to be found adds in a round.
 */
static int memory_settles(void (*round)(void), long leak_kib) {
  enum { ROUNDS = 24, WINDOW = 8 };
  long sizes[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    round();
    sizes[i] = resident_kib();
    if (i >= WINDOW && sizes[i] - sizes[i - WINDOW] < WINDOW * leak_kib / 2) return 1;
  }
  return 0;
}

enum { ENGINES = 10, REQUESTS = 200 };

static void load_chat_free(void) {
  zerohop_engine *engine = check_engine(TINY);
  zerohop_response_free(check_chat(engine, CHAT("\"max_tokens\":4")));
  zerohop_response *stream = check_chat(engine, CHAT_STREAM("\"max_tokens\":400"));
  zerohop_str event;
  zerohop_response_next(stream, &event, NULL);
  zerohop_response_free(stream);
  zerohop_engine_free(engine);
}

static void many_engines(void) {
  for (int i = 0; i < ENGINES; i++) load_chat_free();
}

static zerohop_engine *engine;
static zerohop_cancel_token *token;

static void many_requests(void) {
  for (int i = 0; i < REQUESTS; i++) {
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
  /* 64 KiB an engine. */
  CHECK(memory_settles(many_engines, ENGINES * 64));
}

static void requests_give_their_memory_back(void) {
  engine = check_engine(TINY);
  token = zerohop_cancel_token_new();
  /* 1 KiB a request. */
  CHECK(memory_settles(many_requests, REQUESTS));
  zerohop_cancel_token_free(token);
  zerohop_engine_free(engine);
}

int main(void) {
  RUN(engines_give_their_memory_back);
  RUN(requests_give_their_memory_back);
  return check_finish();
}
