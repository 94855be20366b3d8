/* Replies that come in events. */
#include "check.h"

static zerohop_engine *engine;
static zerohop_engine *long_engine;

static void events_join_to_the_whole_answer(void) {
  zerohop_response *whole = check_chat(engine, CHAT("\"max_tokens\":40"));
  zerohop_response *stream = check_chat(engine, CHAT_STREAM("\"max_tokens\":40"));
  CHECK_INT(zerohop_response_status(stream), 200);
  CHECK(zerohop_response_is_stream(stream));
  CHECK_STR(zerohop_response_header(stream, "content-type", 12), "text/event-stream");
  CHECK(zerohop_response_body(stream).data == NULL);
  CHECK(zerohop_response_text(stream).data == NULL);

  char joined[4096] = "";
  size_t length = 0;
  int events = 0, with_text = 0;
  zerohop_str event;
  zerohop_error *error = NULL;
  zerohop_status status;
  while ((status = zerohop_response_next(stream, &event, &error)) == ZEROHOP_OK) {
    events++;
    CHECK_INT(strlen(event.data), event.len);
    CHECK(event.data[0] == '{' && event.data[event.len - 1] == '}');
    CHECK_CONTAINS(event.data, "\"object\":\"chat.completion.chunk\"");
    zerohop_str text = zerohop_response_text(stream);
    if (text.data) {
      with_text++;
      CHECK(length + text.len < sizeof joined);
      memcpy(joined + length, text.data, text.len + 1);
      length += text.len;
    }
  }
  CHECK_STATUS(status, ZEROHOP_END, error);
  CHECK_STR(joined, zerohop_response_text(whole).data);
  CHECK(events >= 3);
  /* The last event has the reason of the end, and no text. */
  CHECK(with_text < events);

  for (int i = 0; i < 3; i++) CHECK_STATUS(zerohop_response_next(stream, &event, &error), ZEROHOP_END, error);
  CHECK(zerohop_response_text(stream).data == NULL);
  zerohop_response_cancel(stream);
  CHECK_STATUS(zerohop_response_next(stream, &event, &error), ZEROHOP_END, error);
  zerohop_response_free(stream);
  zerohop_response_free(whole);
}

static void usage_comes_last_when_asked_for(void) {
  zerohop_response *stream =
      check_chat(engine, CHAT_STREAM("\"max_tokens\":4,\"stream_options\":{\"include_usage\":true}"));
  zerohop_str event = {NULL, 0};
  char last[2048] = "";
  while (zerohop_response_next(stream, &event, NULL) == ZEROHOP_OK)
    snprintf(last, sizeof last, "%s", event.data);
  CHECK_CONTAINS(last, "\"choices\":[]");
  CHECK_CONTAINS(last, "\"completion_tokens\":4");
  zerohop_response_free(stream);
}

static void waiting_can_have_an_end(void) {
  zerohop_response *stream = check_chat(long_engine, CHAT_LONG_STREAM);
  zerohop_str event = {NULL, 0};
  zerohop_error *error = NULL;
  int timeouts = 0, events = 0;
  /* Zero only looks, so sooner or later it comes too early. */
  for (int i = 0; i < 1000000 && (timeouts == 0 || events < 5); i++) {
    zerohop_status status = zerohop_response_next_timeout(stream, timeouts == 0 ? 0 : 100, &event, &error);
    if (status == ZEROHOP_TIMEOUT) timeouts++;
    if (status == ZEROHOP_OK) events++;
    CHECK(status == ZEROHOP_TIMEOUT || status == ZEROHOP_OK);
    CHECK(error == NULL);
  }
  CHECK(timeouts > 0 && events >= 5);
  /* A time that no clock can express is for ever. */
  CHECK_STATUS(zerohop_response_next_timeout(stream, UINT64_MAX, &event, &error), ZEROHOP_OK, error);
  CHECK_STATUS(zerohop_response_next_timeout(stream, 60000, &event, &error), ZEROHOP_OK, error);
  zerohop_response_free(stream);
}

static void a_whole_reply_has_no_events(void) {
  zerohop_str event = {NULL, 0};
  zerohop_error *error = NULL;
  zerohop_response *whole = check_chat(engine, CHAT("\"max_tokens\":1"));
  CHECK_STATUS(zerohop_response_next(whole, &event, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_response_next_timeout(whole, 0, &event, &error), ZEROHOP_INVALID_ARGUMENT, error);
  zerohop_response_free(whole);

  /* A refused request is answered whole, though a stream was asked for. */
  zerohop_response *refused = check_chat(engine, CHAT_STREAM("\"max_tokens\":0"));
  CHECK_INT(zerohop_response_status(refused), 400);
  zerohop_status status = zerohop_response_next(refused, &event, &error);
  CHECK_CONTAINS(zerohop_error_message(error), "400");
  CHECK_STATUS(status, ZEROHOP_INVALID_ARGUMENT, error);
  CHECK(event.data == NULL);
  zerohop_response_free(refused);
}

static void freeing_stops_a_running_stream(void) {
  /* With room for one request only, the second gets in because the first was stopped. */
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = 100000;
  model.parallel = 1;
  zerohop_engine *narrow = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &narrow, &error), ZEROHOP_OK, error);
  zerohop_str event = {NULL, 0};
  for (int i = 0; i < 5; i++) {
    zerohop_response *stream = check_chat(narrow, CHAT_LONG_STREAM);
    CHECK_STATUS(zerohop_response_next(stream, &event, &error), ZEROHOP_OK, error);
    zerohop_response_free(stream);
  }
  /* And one that nobody has looked at. */
  zerohop_response_free(check_chat(narrow, CHAT_LONG_STREAM));
  zerohop_response *whole = check_chat(narrow, CHAT("\"max_tokens\":2"));
  CHECK_INT(zerohop_response_status(whole), 200);
  zerohop_response_free(whole);
  zerohop_engine_free(narrow);
}

static void a_full_queue_is_429(void) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = 100000;
  model.parallel = 1;
  model.queue = 1;
  zerohop_engine *narrow = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &narrow, &error), ZEROHOP_OK, error);
  zerohop_response *running = check_chat(narrow, CHAT_LONG_STREAM);
  zerohop_str event = {NULL, 0};
  CHECK_STATUS(zerohop_response_next(running, &event, &error), ZEROHOP_OK, error);
  zerohop_response *waiting = check_chat(narrow, CHAT_LONG_STREAM);
  CHECK_INT(zerohop_response_status(waiting), 200);
  zerohop_response *refused = check_chat(narrow, CHAT_LONG_STREAM);
  CHECK_INT(zerohop_response_status(refused), 429);
  CHECK_CONTAINS(zerohop_response_body(refused).data, "rate_limit");
  CHECK(zerohop_response_header(refused, "retry-after", 11) != NULL);
  zerohop_response_free(refused);
  zerohop_response_free(waiting);
  zerohop_response_free(running);
  zerohop_engine_free(narrow);
}

/* Reads a stream until it ends, and gives back how. */
static zerohop_status read_to_the_end(zerohop_response *stream, zerohop_error **error) {
  zerohop_str event;
  zerohop_status status;
  do {
    status = zerohop_response_next(stream, &event, error);
  } while (status == ZEROHOP_OK);
  return status;
}

static void closing_ends_streams(void) {
  zerohop_engine *own = check_long_engine();
  zerohop_response *stream = check_chat(own, CHAT_LONG_STREAM);
  zerohop_str event = {NULL, 0};
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_response_next(stream, &event, &error), ZEROHOP_OK, error);
  zerohop_engine_close(own);
  zerohop_status status = read_to_the_end(stream, &error);
  CHECK_STATUS(status, ZEROHOP_CLOSED, error);
  CHECK_STATUS(zerohop_response_next(stream, &event, &error), ZEROHOP_END, error);
  zerohop_response_free(stream);
  zerohop_engine_free(own);
}

static void a_response_outlives_its_engine(void) {
  zerohop_engine *own = check_long_engine();
  zerohop_response *whole = check_chat(own, CHAT("\"max_tokens\":2"));
  zerohop_response *stream = check_chat(own, CHAT_LONG_STREAM);
  zerohop_engine_free(own);
  CHECK(zerohop_response_text(whole).len > 0);
  zerohop_error *error = NULL;
  zerohop_status status = read_to_the_end(stream, &error);
  CHECK_STATUS(status, ZEROHOP_CLOSED, error);
  zerohop_response_cancel(stream);
  zerohop_response_free(stream);
  zerohop_response_free(whole);
}

int main(void) {
  engine = check_engine(TINY);
  long_engine = check_long_engine();
  RUN(events_join_to_the_whole_answer);
  RUN(usage_comes_last_when_asked_for);
  RUN(waiting_can_have_an_end);
  RUN(a_whole_reply_has_no_events);
  RUN(freeing_stops_a_running_stream);
  RUN(a_full_queue_is_429);
  RUN(closing_ends_streams);
  RUN(a_response_outlives_its_engine);
  zerohop_engine_free(long_engine);
  zerohop_engine_free(engine);
  return check_finish();
}
