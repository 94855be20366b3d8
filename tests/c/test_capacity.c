/* Time limits, draining, API keys, rate limits, metrics. */
#include <pthread.h>

#include "check.h"

static zerohop_engine *limited_engine(zerohop_engine_options *options) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = 100000;
  options->models = &model;
  options->model_count = 1;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_engine_new(options, &engine, &error), ZEROHOP_OK, error);
  if (engine == NULL) check_fatal("an engine with limits", "could not be made");
  return engine;
}

static zerohop_response *send_with(const zerohop_engine *engine, const char *name, const char *value,
                                   const char *body) {
  zerohop_header header = {zerohop_str_of(name), zerohop_str_of(value)};
  zerohop_request request = check_request("POST", "/v1/chat/completions", body);
  request.headers = &header;
  request.header_count = 1;
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_OK, error);
  return response;
}

static const char *header(zerohop_response *response, const char *name) {
  return zerohop_response_header(response, name, strlen(name));
}

static void keys_are_asked_for(void) {
  const zerohop_str keys[] = {zerohop_str_of("sk-a"), zerohop_str_of("sk-b")};
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.api_keys = keys;
  options.api_key_count = 2;
  options.requests_per_minute = 1;
  options.tokens_per_minute = 1000;
  zerohop_engine *engine = limited_engine(&options);

  zerohop_response *response = send_with(engine, "authorization", "Bearer sk-x", CHAT("\"max_tokens\":1"));
  CHECK_INT(zerohop_response_status(response), 401);
  CHECK_CONTAINS(zerohop_response_body(response).data, "\"invalid_api_key\"");
  CHECK_STR(header(response, "x-should-retry"), "false");
  zerohop_response_free(response);

  response = send_with(engine, "Authorization", "Bearer sk-b", CHAT("\"max_tokens\":1"));
  CHECK_INT(zerohop_response_status(response), 200);
  CHECK_STR(header(response, "x-ratelimit-limit-requests"), "1");
  CHECK_STR(header(response, "x-ratelimit-remaining-requests"), "0");
  CHECK_STR(header(response, "x-ratelimit-limit-tokens"), "1000");
  zerohop_response_free(response);

  response = send_with(engine, "authorization", "Bearer sk-b", CHAT("\"max_tokens\":1"));
  CHECK_INT(zerohop_response_status(response), 429);
  CHECK_CONTAINS(zerohop_response_body(response).data, "\"rate_limit_exceeded\"");
  CHECK(header(response, "retry-after") != NULL && header(response, "retry-after-ms") != NULL);
  zerohop_response_free(response);
  zerohop_engine_free(engine);
}

static void keys_must_be_visible_text(void) {
  zerohop_model_options model = check_model_options("m", "no-such-file.gguf");
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = &model;
  options.model_count = 1;
  options.api_key_count = 1;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK(zerohop_engine_new(&options, &engine, &error) == ZEROHOP_INVALID_ARGUMENT);
  CHECK_STR(zerohop_error_param(error), "api_keys");
  zerohop_error_free(error);
  error = NULL;
  const zerohop_str empty = zerohop_str_of("");
  options.api_keys = &empty;
  CHECK(zerohop_engine_new(&options, &engine, &error) == ZEROHOP_INVALID_ARGUMENT);
  CHECK_STR(zerohop_error_param(error), "api_keys");
  zerohop_error_free(error);
}

static void requests_have_a_time(void) {
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.timeout_ms = 60000;
  zerohop_engine *engine = limited_engine(&options);
  zerohop_response *response = send_with(engine, "x-request-timeout", "0.05", CHAT_LONG);
  CHECK_INT(zerohop_response_status(response), 408);
  CHECK_CONTAINS(zerohop_response_body(response).data, "\"request_timeout\"");
  zerohop_response_free(response);
  zerohop_engine_free(engine);

  options.timeout_ms = 50;
  engine = limited_engine(&options);
  response = check_chat(engine, CHAT_LONG);
  CHECK_INT(zerohop_response_status(response), 408);
  zerohop_response_free(response);
  zerohop_engine_free(engine);
}

static void *drain(void *argument) {
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_engine_drain((const zerohop_engine *)argument, UINT64_MAX, &error), ZEROHOP_OK, error);
  return NULL;
}

static void draining_lets_a_stream_end(void) {
  zerohop_engine *engine = check_long_engine();
  zerohop_response *stream = check_chat(engine, CHAT_STREAM("\"max_tokens\":200"));
  pthread_t thread;
  if (pthread_create(&thread, NULL, drain, engine) != 0) check_fatal("a thread", "does not start");
  int status;
  do {
    zerohop_response *response = check_chat(engine, CHAT("\"max_tokens\":1"));
    status = zerohop_response_status(response);
    if (status == 503) CHECK_STR(header(response, "retry-after"), "1");
    zerohop_response_free(response);
  } while (status == 200);
  CHECK_INT(status, 503);
  zerohop_str event;
  zerohop_error *error = NULL;
  int events = 0;
  while ((status = zerohop_response_next(stream, &event, &error)) == ZEROHOP_OK) events++;
  CHECK_STATUS(status, ZEROHOP_END, error);
  CHECK(events > 1);
  pthread_join(thread, NULL);
  zerohop_response_free(stream);
  zerohop_engine_free(engine);
}

static void draining_has_an_end(void) {
  zerohop_engine *engine = check_long_engine();
  zerohop_response *stream = check_chat(engine, CHAT_LONG_STREAM);
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_engine_drain(engine, 20, &error), ZEROHOP_TIMEOUT, error);
  CHECK_STATUS(zerohop_engine_drain(engine, UINT64_MAX, &error), ZEROHOP_TIMEOUT, error);
  zerohop_response_free(stream);
  CHECK_STATUS(zerohop_engine_drain(engine, UINT64_MAX, &error), ZEROHOP_OK, error);
  CHECK_STATUS(zerohop_engine_drain(NULL, 0, &error), ZEROHOP_INVALID_ARGUMENT, error);
  zerohop_engine_free(engine);
}

typedef struct {
  zerohop_engine *engine;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
} drain_in_callback;

static void drain_when_done(void *user_data, zerohop_status status, zerohop_response *response, zerohop_error *error) {
  drain_in_callback *self = (drain_in_callback *)user_data;
  CHECK_INT(status, ZEROHOP_OK);
  zerohop_response_free(response);
  zerohop_error_free(error);
  zerohop_error *refused = NULL;
  zerohop_status drained = zerohop_engine_drain(self->engine, UINT64_MAX, &refused);
  CHECK(drained == ZEROHOP_OK || drained == ZEROHOP_TIMEOUT);
  pthread_mutex_lock(&self->lock);
  self->done = true;
  pthread_cond_signal(&self->changed);
  pthread_mutex_unlock(&self->lock);
}

static void a_callback_may_drain(void) {
  drain_in_callback self = {check_long_engine(), PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
  zerohop_request request = check_request("POST", "/v1/chat/completions", CHAT("\"max_tokens\":2"));
  zerohop_callbacks callbacks;
  zerohop_callbacks_init(&callbacks, sizeof callbacks);
  callbacks.user_data = &self;
  callbacks.on_done = drain_when_done;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_submit(self.engine, &request, &callbacks, &error), ZEROHOP_OK, error);
  pthread_mutex_lock(&self.lock);
  while (!self.done) pthread_cond_wait(&self.changed, &self.lock);
  pthread_mutex_unlock(&self.lock);
  zerohop_engine_free(self.engine);
}

static void metrics_are_told(void) {
  zerohop_engine *engine = check_engine(TINY);
  zerohop_response_free(check_chat(engine, CHAT("\"max_tokens\":3")));
  zerohop_response *text = check_send(engine, "GET", "/metrics", NULL);
  CHECK_STR(header(text, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
  CHECK_CONTAINS(zerohop_response_body(text).data, "zerohop_completion_tokens_total{model=\"m\"} 3\n");
  zerohop_response_free(text);
  zerohop_response *json = check_send(engine, "GET", "/metrics?format=json", NULL);
  CHECK_CONTAINS(zerohop_response_body(json).data, "\"completion_tokens\":3,");
  zerohop_response_free(json);
  zerohop_engine_free(engine);
}

int main(void) {
  RUN(keys_are_asked_for);
  RUN(keys_must_be_visible_text);
  RUN(requests_have_a_time);
  RUN(draining_lets_a_stream_end);
  RUN(draining_has_an_end);
  RUN(a_callback_may_drain);
  RUN(metrics_are_told);
  return check_finish();
}
