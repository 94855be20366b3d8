/* Many threads in one engine, and ending calls that block in other threads. */
#include <pthread.h>
#include <time.h>

#include "check.h"

static zerohop_engine *engine;

static void sleep_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static pthread_t start(void *(*body)(void *), void *argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, argument) != 0) check_fatal("pthread_create", "failed");
  return thread;
}

/* Threads share an engine: each gets its own answer. */

enum { THREADS = 8, ROUNDS = 3 };

static void question(char *body, size_t size, int number) {
  snprintf(body, size,
           "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"number %d\"}],\"temperature\":0,"
           "\"max_tokens\":%d}",
           number, 8 + number);
}

static char alone[THREADS][1024];

static void *ask_again(void *argument) {
  int number = (int)(size_t)argument;
  char body[512];
  question(body, sizeof body, number);
  for (int i = 0; i < ROUNDS; i++) {
    zerohop_response *response = check_chat(engine, body);
    CHECK_STR(zerohop_response_text(response).data, alone[number]);
    zerohop_response_free(response);
  }
  return NULL;
}

static void answers_do_not_mix(void) {
  for (int i = 0; i < THREADS; i++) {
    char body[512];
    question(body, sizeof body, i);
    zerohop_response *response = check_chat(engine, body);
    snprintf(alone[i], sizeof alone[i], "%s", zerohop_response_text(response).data);
    CHECK(alone[i][0] != '\0');
    zerohop_response_free(response);
  }
  CHECK(strcmp(alone[0], alone[1]) != 0);
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) threads[i] = start(ask_again, (void *)(size_t)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void *load_and_free(void *argument) {
  (void)argument;
  zerohop_engine *own = check_engine(TINY);
  zerohop_response *response = check_chat(own, CHAT("\"max_tokens\":3"));
  CHECK_INT(zerohop_response_status(response), 200);
  zerohop_engine_free(own);
  zerohop_response_free(response);
  return NULL;
}

static void engines_can_be_made_in_parallel(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = start(load_and_free, NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

/* Ending calls of other threads. */

typedef struct {
  zerohop_engine *engine;
  const char *body;
  const zerohop_cancel_token *token;
  zerohop_status status;
} call;

/* Sends a request; reads a stream to its end. */
static void *send_and_read(void *argument) {
  call *self = (call *)argument;
  zerohop_request request = check_request("POST", "/v1/chat/completions", self->body);
  request.cancel = self->token;
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  zerohop_str event;
  self->status = zerohop_send(self->engine, &request, &response, &error);
  if (self->status == ZEROHOP_OK && zerohop_response_is_stream(response)) {
    do {
      self->status = zerohop_response_next(response, &event, &error);
    } while (self->status == ZEROHOP_OK);
  }
  CHECK((self->status < 0) == (error != NULL));
  zerohop_error_free(error);
  zerohop_response_free(response);
  return NULL;
}

static void a_token_ends_calls_that_block(void) {
  zerohop_cancel_token *token = zerohop_cancel_token_new();
  CHECK(!zerohop_cancel_token_is_cancelled(token));
  const char *const bodies[] = {CHAT_LONG, CHAT_LONG_STREAM, CHAT_LONG, CHAT_LONG_STREAM};
  call calls[4];
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    const call fresh = {engine, bodies[i], token, ZEROHOP_OK};
    calls[i] = fresh;
    threads[i] = start(send_and_read, &calls[i]);
  }
  sleep_ms(100);
  zerohop_cancel_token_cancel(token);
  zerohop_cancel_token_cancel(token);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    CHECK_INT(calls[i].status, ZEROHOP_CANCELLED);
  }
  CHECK(zerohop_cancel_token_is_cancelled(token));
  zerohop_cancel_token_free(token);
}

static void a_used_token_ends_later_calls_too(void) {
  zerohop_cancel_token *token = zerohop_cancel_token_new();
  zerohop_cancel_token_cancel(token);
  call self = {engine, CHAT_LONG, token, ZEROHOP_OK};
  send_and_read(&self);
  CHECK_INT(self.status, ZEROHOP_CANCELLED);
  zerohop_cancel_token_free(token);
}

static void a_token_may_go_before_its_request(void) {
  zerohop_cancel_token *token = zerohop_cancel_token_new();
  zerohop_cancel_token *other = zerohop_cancel_token_clone(token);
  zerohop_request request = check_request("POST", "/v1/chat/completions", CHAT_LONG_STREAM);
  request.cancel = token;
  zerohop_response *stream = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_send(engine, &request, &stream, &error), ZEROHOP_OK, error);
  zerohop_cancel_token_free(token);
  zerohop_str event = {NULL, 0};
  CHECK_STATUS(zerohop_response_next(stream, &event, &error), ZEROHOP_OK, error);
  zerohop_cancel_token_cancel(other);
  zerohop_status status = ZEROHOP_OK;
  /* The event that begins the answer may come in two parts, of which one is left. */
  for (int i = 0; i < 2 && status == ZEROHOP_OK; i++) status = zerohop_response_next(stream, &event, &error);
  CHECK_STATUS(status, ZEROHOP_CANCELLED, error);
  CHECK_STATUS(zerohop_response_next(stream, &event, &error), ZEROHOP_END, error);
  zerohop_cancel_token_free(other);
  zerohop_response_free(stream);
}

static void an_unused_token_leaves_no_trace(void) {
  zerohop_cancel_token *token = zerohop_cancel_token_new();
  for (int i = 0; i < 3; i++) {
    call self = {engine, CHAT("\"max_tokens\":3"), token, ZEROHOP_CANCELLED};
    send_and_read(&self);
    CHECK_INT(self.status, ZEROHOP_OK);
  }
  /* Cancelling after a reply has come changes nothing about it. */
  zerohop_request request = check_request("POST", "/v1/chat/completions", CHAT("\"max_tokens\":3"));
  request.cancel = token;
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_OK, error);
  zerohop_cancel_token_cancel(token);
  CHECK(zerohop_response_text(response).len > 0);
  zerohop_response_free(response);
  zerohop_cancel_token_free(token);
}

typedef struct {
  zerohop_response *stream;
  zerohop_status status;
} reading;

/* Reads a stream to its end, also when another thread happens to be reading it. */
static void *read_on(void *argument) {
  reading *self = (reading *)argument;
  zerohop_str event;
  do {
    self->status = zerohop_response_next(self->stream, &event, NULL);
  } while (self->status == ZEROHOP_OK || self->status == ZEROHOP_INVALID_ARGUMENT);
  return NULL;
}

static void a_response_can_be_cancelled_while_it_is_read(void) {
  reading self = {check_chat(engine, CHAT_LONG_STREAM), ZEROHOP_OK};
  pthread_t thread = start(read_on, &self);
  sleep_ms(50);
  zerohop_response_cancel(self.stream);
  zerohop_response_cancel(self.stream);
  pthread_join(thread, NULL);
  CHECK_INT(self.status, ZEROHOP_CANCELLED);
  zerohop_response_free(self.stream);
}

static void a_second_reader_is_refused(void) {
  /* One request fills the engine, so that the other's first event does not come. */
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = 100000;
  model.parallel = 1;
  zerohop_engine *narrow = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &narrow, &error), ZEROHOP_OK, error);
  zerohop_response *running = check_chat(narrow, CHAT_LONG_STREAM);
  reading self = {check_chat(narrow, CHAT_LONG_STREAM), ZEROHOP_OK};
  pthread_t thread = start(read_on, &self);
  zerohop_str event = {NULL, 0};
  zerohop_status status = ZEROHOP_TIMEOUT;
  /* Until the thread has come to its reading. */
  for (int i = 0; i < 6000 && status == ZEROHOP_TIMEOUT; i++) {
    sleep_ms(10);
    status = zerohop_response_next_timeout(self.stream, 0, &event, &error);
  }
  CHECK_CONTAINS(zerohop_error_message(error), "another thread");
  CHECK_STATUS(status, ZEROHOP_INVALID_ARGUMENT, error);
  CHECK(zerohop_response_text(self.stream).data == NULL);
  zerohop_response_cancel(self.stream);
  pthread_join(thread, NULL);
  CHECK_INT(self.status, ZEROHOP_CANCELLED);
  zerohop_response_free(self.stream);
  zerohop_response_free(running);
  zerohop_engine_free(narrow);
}

static void closing_ends_calls_that_block(void) {
  zerohop_engine *own = check_long_engine();
  const char *const bodies[] = {CHAT_LONG, CHAT_LONG_STREAM};
  call calls[2];
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    const call fresh = {own, bodies[i], NULL, ZEROHOP_OK};
    calls[i] = fresh;
    threads[i] = start(send_and_read, &calls[i]);
  }
  sleep_ms(100);
  zerohop_engine_close(own);
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    CHECK_INT(calls[i].status, ZEROHOP_CLOSED);
  }
  zerohop_engine_free(own);
}

int main(void) {
  engine = check_long_engine();
  RUN(answers_do_not_mix);
  RUN(engines_can_be_made_in_parallel);
  RUN(a_token_ends_calls_that_block);
  RUN(a_used_token_ends_later_calls_too);
  RUN(a_token_may_go_before_its_request);
  RUN(an_unused_token_leaves_no_trace);
  RUN(a_response_can_be_cancelled_while_it_is_read);
  RUN(a_second_reader_is_refused);
  RUN(closing_ends_calls_that_block);
  zerohop_engine_free(engine);
  return check_finish();
}
