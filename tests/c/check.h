/*
 * Assertions and helpers of the C tests.
 *
 * A test is a function; RUN calls it and counts it as failed if any CHECK in it
 * was. The last line of a program is "passed failed", for run.sh.
 *
 * Everything compiles as C11 and as C++17.
 */
#ifndef ZEROHOP_TESTS_CHECK_H
#define ZEROHOP_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zerohop.h>

typedef struct {
  int passed;
  int failed;
  /* Failed checks of the running test; its threads add to it too. */
  int failures;
} check_counts;

static check_counts check_state;

static inline void check_failed(const char *file, int line, const char *what, const char *actual) {
  __atomic_fetch_add(&check_state.failures, 1, __ATOMIC_SEQ_CST);
  printf("%s:%d: %s%s%s\n", file, line, what, actual ? ", got: " : "", actual ? actual : "");
}

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, NULL))

#define CHECK_INT(actual, expected)                                                              \
  do {                                                                                           \
    long long check_actual = (long long)(actual);                                                \
    if (check_actual != (long long)(expected)) {                                                 \
      char check_text[32];                                                                       \
      snprintf(check_text, sizeof check_text, "%lld", check_actual);                             \
      check_failed(__FILE__, __LINE__, #actual " == " #expected, check_text);                    \
    }                                                                                            \
  } while (0)

/* Text that may be NULL is, or contains, other text. */
#define CHECK_STR(actual, expected)                                                              \
  do {                                                                                           \
    const char *check_actual = (actual);                                                         \
    if (!check_actual || strcmp(check_actual, (expected)) != 0)                                  \
      check_failed(__FILE__, __LINE__, #actual " == " #expected, check_actual ? check_actual : "NULL"); \
  } while (0)

#define CHECK_CONTAINS(actual, part)                                                             \
  do {                                                                                           \
    const char *check_actual = (actual);                                                         \
    if (!check_actual || !strstr(check_actual, (part)))                                          \
      check_failed(__FILE__, __LINE__, #actual " contains " #part, check_actual ? check_actual : "NULL"); \
  } while (0)

/* What a call returned, by name, with the error's message if there is one; frees the error. */
#define CHECK_STATUS(call, expected, error)                                                      \
  do {                                                                                           \
    zerohop_status check_status = (call);                                                        \
    if (check_status != (expected)) {                                                            \
      char check_text[512];                                                                      \
      snprintf(check_text, sizeof check_text, "%s: %s", zerohop_status_name(check_status),       \
               zerohop_error_message(error));                                                    \
      check_failed(__FILE__, __LINE__, #call " == " #expected, check_text);                      \
    }                                                                                            \
    CHECK_INT(zerohop_error_status(error), check_status < 0 ? check_status : ZEROHOP_OK);        \
    zerohop_error_free(error);                                                                   \
    (error) = NULL;                                                                              \
  } while (0)

#define RUN(test) check_run(test, #test)

static inline void check_run(void (*test)(void), const char *name) {
  check_state.failures = 0;
  test();
  if (check_state.failures) {
    check_state.failed++;
    printf("FAILED %s\n", name);
  } else {
    check_state.passed++;
  }
  fflush(stdout);
}

static inline int check_finish(void) {
  printf("%d %d\n", check_state.passed, check_state.failed);
  return check_state.failed != 0;
}

/* For what no test can go on without. */
static inline void check_fatal(const char *what, const char *why) {
  printf("%s: %s\n%d %d\n", what, why, check_state.passed, check_state.failed + 1);
  fflush(stdout);
  _Exit(1);
}

#define TINY "tiny/tiny-llama.gguf"
#define SMOLLM2 "smollm2-135m-instruct-q4_1.gguf"

/* The path of a model in the folder that run.sh found. */
static inline const char *check_model(const char *file) {
  static __thread char path[4][1024];
  static __thread int next;
  const char *folder = getenv("ZEROHOP_TEST_MODELS");
  if (!folder) check_fatal("ZEROHOP_TEST_MODELS", "not set; start the tests through make");
  char *place = path[next++ % 4];
  snprintf(place, sizeof path[0], "%s/%s", folder, file);
  FILE *model = fopen(place, "rb");
  if (!model) check_fatal(place, "missing; run `make models`");
  fclose(model);
  return place;
}

static inline zerohop_model_options check_model_options(const char *name, const char *path) {
  zerohop_model_options options;
  zerohop_model_options_init(&options, sizeof options);
  options.name = zerohop_str_of(name);
  options.path = zerohop_str_of(path);
  /* The tiny models gain nothing by more. */
  options.threads = 1;
  return options;
}

static inline zerohop_status check_engine_new(const zerohop_model_options *models, size_t count,
                                              zerohop_engine **out, zerohop_error **out_err) {
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = models;
  options.model_count = count;
  return zerohop_engine_new(&options, out, out_err);
}

/* An engine that serves one file under the name "m". */
static inline zerohop_engine *check_engine(const char *file) {
  zerohop_model_options model = check_model_options("m", check_model(file));
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  if (check_engine_new(&model, 1, &engine, &error) != ZEROHOP_OK)
    check_fatal(file, zerohop_error_message(error));
  return engine;
}

static inline zerohop_request check_request(const char *method, const char *path, const char *body) {
  zerohop_request request;
  zerohop_request_init(&request, sizeof request);
  request.method = zerohop_str_of(method);
  request.path = zerohop_str_of(path);
  request.body = zerohop_str_of(body);
  return request;
}

/* A response to a request that the engine can answer, whatever its status. */
static inline zerohop_response *check_send(const zerohop_engine *engine, const char *method, const char *path,
                                           const char *body) {
  zerohop_request request = check_request(method, path, body);
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  zerohop_status status = zerohop_send(engine, &request, &response, &error);
  if (status != ZEROHOP_OK)
    check_fatal(path, status < 0 ? zerohop_error_message(error) : zerohop_status_name(status));
  return response;
}

static inline zerohop_response *check_chat(const zerohop_engine *engine, const char *body) {
  return check_send(engine, "POST", "/v1/chat/completions", body);
}

/* Requests to the model "m": a greedy answer of some tokens, whole or as a stream. */
#define CHAT(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"temperature\":0," rest "}"
#define CHAT_STREAM(rest) CHAT("\"stream\":true," rest)
/* An answer of check_long_engine that takes far longer than any test: the tiny model does not stop by itself. */
#define CHAT_LONG CHAT("\"max_tokens\":90000")
#define CHAT_LONG_STREAM CHAT_STREAM("\"max_tokens\":90000")

static inline zerohop_engine *check_long_engine(void) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = 100000;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  if (check_engine_new(&model, 1, &engine, &error) != ZEROHOP_OK)
    check_fatal("the engine for long answers", zerohop_error_message(error));
  return engine;
}

#endif
