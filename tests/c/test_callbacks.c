/* Replies by callbacks: one completion for each request, on every path. */
#include <pthread.h>
#include <time.h>

#include "check.h"

static zerohop_engine *engine;

/* What the callbacks of one request were told. All of it behind one lock. */
typedef struct {
  int events;
  int done;
  zerohop_status status;
  int http_status;
  size_t text_len;
  char body[2048];
  zerohop_status error_status;
  pthread_t thread;
  /* Return false at this event; 0 for none. */
  int stop_at;
  /* Called in on_event and on_done, for what may be done there. */
  void (*in_event)(zerohop_response *response);
  void (*in_done)(void);
} record;

/* Empty records, as an array. */
#define RECORDS(name, count) record name[count]; memset(name, 0, sizeof name)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static bool on_event(void *user_data, zerohop_response *response, zerohop_str event) {
  record *self = (record *)user_data;
  pthread_mutex_lock(&lock);
  CHECK_INT(self->done, 0);
  self->events++;
  self->thread = pthread_self();
  self->text_len += zerohop_response_text(response).len;
  CHECK_INT(zerohop_response_status(response), 200);
  CHECK(zerohop_response_is_stream(response));
  CHECK(event.len > 0 && event.data[0] == '{' && event.data[event.len] == '\0');
  if (self->in_event) self->in_event(response);
  bool go_on = self->events != self->stop_at;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  return go_on;
}

static void on_done(void *user_data, zerohop_status status, zerohop_response *response, zerohop_error *error) {
  record *self = (record *)user_data;
  void (*in_done)(void) = NULL;
  pthread_mutex_lock(&lock);
  self->done++;
  self->status = status;
  self->thread = pthread_self();
  self->http_status = zerohop_response_status(response);
  zerohop_str body = zerohop_response_body(response);
  snprintf(self->body, sizeof self->body, "%.*s", (int)body.len, body.data ? body.data : "");
  self->error_status = zerohop_error_status(error);
  CHECK((status < 0) == (error != NULL));
  in_done = self->in_done;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  zerohop_response_free(response);
  zerohop_error_free(error);
  if (in_done) in_done();
}

static zerohop_status submit_with(const zerohop_engine *to, const char *body, record *self,
                                  const zerohop_cancel_token *token, zerohop_error **error) {
  zerohop_request request = check_request("POST", "/v1/chat/completions", body);
  request.cancel = token;
  zerohop_callbacks callbacks;
  zerohop_callbacks_init(&callbacks, sizeof callbacks);
  callbacks.user_data = self;
  callbacks.on_event = on_event;
  callbacks.on_done = on_done;
  /* Also for ThreadSanitizer, which does not see the library's own locks. */
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
  return zerohop_submit(to, &request, &callbacks, error);
}

static void submit(const char *body, record *self) {
  zerohop_error *error = NULL;
  CHECK_STATUS(submit_with(engine, body, self, NULL, &error), ZEROHOP_OK, error);
}

static void wait_for(const record *self, int events, int done) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 300;
  pthread_mutex_lock(&lock);
  while (self->events < events || self->done < done) {
    if (pthread_cond_timedwait(&changed, &lock, &end) != 0) check_fatal("a callback", "does not come");
  }
  pthread_mutex_unlock(&lock);
}

static void wait_done(const record *self) {
  wait_for(self, 0, 1);
}

/* A second completion would come soon after the first. */
static void check_done_once(const record *self) {
  wait_done(self);
  const struct timespec pause = {0, 20 * 1000 * 1000};
  nanosleep(&pause, NULL);
  pthread_mutex_lock(&lock);
  CHECK_INT(self->done, 1);
  pthread_mutex_unlock(&lock);
}

static void a_whole_reply_comes_at_once(void) {
  RECORDS(self, 1);
  submit(CHAT("\"max_tokens\":5"), self);
  check_done_once(self);
  CHECK_INT(self->status, ZEROHOP_OK);
  CHECK_INT(self->events, 0);
  CHECK_INT(self->http_status, 200);
  CHECK_CONTAINS(self->body, "chat.completion");
  CHECK(!pthread_equal(self->thread, pthread_self()));
}

static void a_stream_comes_in_events(void) {
  RECORDS(self, 1);
  submit(CHAT_STREAM("\"max_tokens\":5"), self);
  check_done_once(self);
  CHECK_INT(self->status, ZEROHOP_OK);
  CHECK_INT(self->http_status, 200);
  CHECK(self->events >= 3);
  CHECK(self->text_len > 0);
  CHECK_STR(self->body, "");
}

static void events_need_no_callback(void) {
  RECORDS(self, 1);
  zerohop_request request = check_request("POST", "/v1/chat/completions", CHAT_STREAM("\"max_tokens\":5"));
  zerohop_callbacks callbacks;
  zerohop_callbacks_init(&callbacks, sizeof callbacks);
  callbacks.user_data = self;
  callbacks.on_done = on_done;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_submit(engine, &request, &callbacks, &error), ZEROHOP_OK, error);
  check_done_once(self);
  CHECK_INT(self->status, ZEROHOP_OK);
  CHECK_INT(self->events, 0);
}

static void a_refusal_is_a_reply(void) {
  RECORDS(self, 1);
  submit("{", self);
  check_done_once(self);
  CHECK_INT(self->status, ZEROHOP_OK);
  CHECK_INT(self->http_status, 400);
  CHECK_CONTAINS(self->body, "invalid_request_error");
}

static void a_token_ends_it(void) {
  const char *const bodies[] = {CHAT_LONG, CHAT_LONG_STREAM};
  for (int i = 0; i < 2; i++) {
    RECORDS(self, 1);
    zerohop_cancel_token *token = zerohop_cancel_token_new();
    zerohop_error *error = NULL;
    CHECK_STATUS(submit_with(engine, bodies[i], self, token, &error), ZEROHOP_OK, error);
    if (i == 1) wait_for(self, 2, 0);
    zerohop_cancel_token_cancel(token);
    zerohop_cancel_token_free(token);
    check_done_once(self);
    CHECK_INT(self->status, ZEROHOP_CANCELLED);
    CHECK_INT(self->http_status, i == 1 ? 200 : 0);
  }
}

static void a_used_token_ends_it_at_once(void) {
  RECORDS(self, 1);
  zerohop_cancel_token *token = zerohop_cancel_token_new();
  zerohop_cancel_token_cancel(token);
  zerohop_error *error = NULL;
  CHECK_STATUS(submit_with(engine, CHAT_LONG_STREAM, self, token, &error), ZEROHOP_OK, error);
  check_done_once(self);
  CHECK_INT(self->status, ZEROHOP_CANCELLED);
  zerohop_cancel_token_free(token);
}

static void returning_false_ends_it(void) {
  RECORDS(self, 1);
  self->stop_at = 3;
  submit(CHAT_LONG_STREAM, self);
  check_done_once(self);
  CHECK_INT(self->status, ZEROHOP_CANCELLED);
  CHECK_INT(self->events, 3);
}

static void cancelling_the_response_ends_it(void) {
  RECORDS(self, 1);
  self->in_event = (void (*)(zerohop_response *))zerohop_response_cancel;
  submit(CHAT_LONG_STREAM, self);
  check_done_once(self);
  CHECK_INT(self->status, ZEROHOP_CANCELLED);
}

static void read_it_oneself(zerohop_response *response) {
  zerohop_str event;
  zerohop_error *error = NULL;
  zerohop_status status = zerohop_response_next(response, &event, &error);
  CHECK_CONTAINS(zerohop_error_message(error), "callback");
  CHECK_STATUS(status, ZEROHOP_INVALID_ARGUMENT, error);
}

static void events_go_to_the_callback_only(void) {
  RECORDS(self, 1);
  self->in_event = read_it_oneself;
  submit(CHAT_STREAM("\"max_tokens\":3"), self);
  check_done_once(self);
  CHECK_INT(self->status, ZEROHOP_OK);
}

enum { MANY = 40 };

static void many_share_one_thread(void) {
  static record all[MANY];
  memset(all, 0, sizeof all);
  for (int i = 0; i < MANY; i++) {
    submit(i % 2 ? CHAT("\"max_tokens\":8") : CHAT_STREAM("\"max_tokens\":8"), &all[i]);
  }
  for (int i = 0; i < MANY; i++) {
    check_done_once(&all[i]);
    CHECK_INT(all[i].status, ZEROHOP_OK);
    CHECK(pthread_equal(all[i].thread, all[0].thread));
  }
}

static void what_cannot_begin_calls_nothing(void) {
  RECORDS(self, 1);
  zerohop_error *error = NULL;
  zerohop_request request = check_request("POST", "/v1/chat/completions", CHAT("\"max_tokens\":1"));
  zerohop_callbacks callbacks;
  zerohop_callbacks_init(&callbacks, sizeof callbacks);
  callbacks.user_data = self;
  CHECK_STATUS(zerohop_submit(engine, &request, &callbacks, &error), ZEROHOP_INVALID_ARGUMENT, error);
  callbacks.on_done = on_done;
  CHECK_STATUS(zerohop_submit(NULL, &request, &callbacks, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_submit(engine, NULL, &callbacks, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_submit(engine, &request, NULL, &error), ZEROHOP_INVALID_ARGUMENT, error);
  callbacks.struct_size = 3;
  CHECK_STATUS(zerohop_submit(engine, &request, &callbacks, &error), ZEROHOP_INVALID_ARGUMENT, error);
  callbacks.struct_size = sizeof callbacks;
  request.path = zerohop_str_of("no/slash");
  CHECK_STATUS(zerohop_submit(engine, &request, &callbacks, &error), ZEROHOP_INVALID_ARGUMENT, error);
  zerohop_engine *own = check_engine(TINY);
  zerohop_engine_close(own);
  CHECK_STATUS(submit_with(own, CHAT("\"max_tokens\":1"), self, NULL, &error), ZEROHOP_CLOSED, error);
  zerohop_engine_free(own);
  CHECK_INT(self->done, 0);
}

static void closing_and_freeing_complete_what_runs(void) {
  for (int freeing = 0; freeing < 2; freeing++) {
    zerohop_engine *own = check_long_engine();
    RECORDS(self, 4);
    zerohop_error *error = NULL;
    for (int i = 0; i < 4; i++) {
      CHECK_STATUS(submit_with(own, i % 2 ? CHAT_LONG : CHAT_LONG_STREAM, &self[i], NULL, &error), ZEROHOP_OK, error);
    }
    wait_for(&self[0], 1, 0);
    if (freeing) {
      zerohop_engine_free(own);
    } else {
      zerohop_engine_close(own);
    }
    /* Every completion has come when it returns. */
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 4; i++) {
      CHECK_INT(self[i].done, 1);
      CHECK_INT(self[i].status, ZEROHOP_CLOSED);
      CHECK_INT(self[i].error_status, ZEROHOP_CLOSED);
    }
    pthread_mutex_unlock(&lock);
    if (!freeing) zerohop_engine_free(own);
  }
}

/* What callbacks may do to the engine that calls them. */
static zerohop_engine *inner;
static record inner_record;

static void submit_again(void) {
  zerohop_error *error = NULL;
  CHECK_STATUS(submit_with(inner, CHAT("\"max_tokens\":2"), &inner_record, NULL, &error), ZEROHOP_OK, error);
}

static void a_callback_may_submit(void) {
  inner = engine;
  memset(&inner_record, 0, sizeof inner_record);
  RECORDS(self, 1);
  self->in_done = submit_again;
  submit(CHAT("\"max_tokens\":2"), self);
  check_done_once(self);
  check_done_once(&inner_record);
  CHECK_INT(inner_record.status, ZEROHOP_OK);
}

static void free_inner(void) {
  zerohop_engine_free(inner);
}

static void a_callback_may_free_the_engine(void) {
  inner = check_long_engine();
  RECORDS(first, 1);
  RECORDS(other, 1);
  first->in_done = free_inner;
  zerohop_error *error = NULL;
  CHECK_STATUS(submit_with(inner, CHAT_LONG_STREAM, other, NULL, &error), ZEROHOP_OK, error);
  CHECK_STATUS(submit_with(inner, CHAT("\"max_tokens\":2"), first, NULL, &error), ZEROHOP_OK, error);
  check_done_once(first);
  check_done_once(other);
  CHECK_INT(first->status, ZEROHOP_OK);
  CHECK_INT(other->status, ZEROHOP_CLOSED);
}

static void a_full_queue_is_a_reply(void) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = 100000;
  model.parallel = 1;
  model.queue = 1;
  zerohop_engine *narrow = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &narrow, &error), ZEROHOP_OK, error);
  RECORDS(self, 3);
  CHECK_STATUS(submit_with(narrow, CHAT_LONG_STREAM, &self[0], NULL, &error), ZEROHOP_OK, error);
  wait_for(&self[0], 1, 0);
  zerohop_response *waiting = check_chat(narrow, CHAT_LONG_STREAM);
  CHECK_STATUS(submit_with(narrow, CHAT_LONG_STREAM, &self[1], NULL, &error), ZEROHOP_OK, error);
  check_done_once(&self[1]);
  CHECK_INT(self[1].status, ZEROHOP_OK);
  CHECK_INT(self[1].http_status, 429);
  zerohop_response_free(waiting);
  zerohop_engine_free(narrow);
  CHECK_INT(self[0].done, 1);
}

int main(void) {
  engine = check_long_engine();
  RUN(a_whole_reply_comes_at_once);
  RUN(a_stream_comes_in_events);
  RUN(events_need_no_callback);
  RUN(a_refusal_is_a_reply);
  RUN(a_token_ends_it);
  RUN(a_used_token_ends_it_at_once);
  RUN(returning_false_ends_it);
  RUN(cancelling_the_response_ends_it);
  RUN(events_go_to_the_callback_only);
  RUN(many_share_one_thread);
  RUN(what_cannot_begin_calls_nothing);
  RUN(closing_and_freeing_complete_what_runs);
  RUN(a_callback_may_submit);
  RUN(a_callback_may_free_the_engine);
  RUN(a_full_queue_is_a_reply);
  zerohop_engine_free(engine);
  return check_finish();
}
