/*
 * Runs requests through the C ABI for the shared cases.
 *
 *   driver NAME=MODEL.gguf... < bodies
 *
 * Each line of stdin is the body of a chat completion request, or a path, a space
 * and the body of a request to that. For each, a line with the status and the
 * number of JSON texts is written, then the texts, a line each: the reply's body,
 * or a stream's events.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zerohop.h"

#define MAX_MODELS 16
#define MAX_EVENTS 4096

static void fail(zerohop_error *error) {
  fprintf(stderr, "%s\n", error ? zerohop_error_message(error) : "out of memory");
  zerohop_error_free(error);
  exit(1);
}

static zerohop_engine *load(int count, char **arguments) {
  zerohop_model_options models[MAX_MODELS];
  if (count > MAX_MODELS) exit(2);
  for (int index = 0; index < count; index++) {
    char *path = strchr(arguments[index], '=');
    if (!path) exit(2);
    *path++ = '\0';
    zerohop_model_options_init(&models[index], sizeof models[index]);
    models[index].name = zerohop_str_of(arguments[index]);
    models[index].path = zerohop_str_of(path);
    models[index].context_length = 2048;
  }
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = models;
  options.model_count = (size_t)count;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  if (zerohop_engine_new(&options, &engine, &error) != ZEROHOP_OK) fail(error);
  return engine;
}

/* Events are borrowed until the next one, so they are copied. */
static size_t collect_events(zerohop_response *response, char **events) {
  size_t count = 0;
  for (;;) {
    zerohop_str event;
    zerohop_error *error = NULL;
    zerohop_status status = zerohop_response_next(response, &event, &error);
    if (status == ZEROHOP_END) return count;
    if (status != ZEROHOP_OK || count == MAX_EVENTS) fail(error);
    events[count] = strndup(event.data, event.len);
    if (!events[count++]) fail(NULL);
  }
}

static void run(const zerohop_engine *engine, const char *line, size_t len) {
  zerohop_request request;
  zerohop_request_init(&request, sizeof request);
  const char *body = line[0] == '/' ? memchr(line, ' ', len) : NULL;
  request.path = zerohop_str_of("/v1/chat/completions");
  if (body) {
    request.path.data = line;
    request.path.len = (size_t)(body - line);
    len -= request.path.len;
  }
  request.body.data = body ? body : line;
  request.body.len = len;
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  if (zerohop_send(engine, &request, &response, &error) != ZEROHOP_OK) fail(error);
  if (zerohop_response_is_stream(response)) {
    static char *events[MAX_EVENTS];
    size_t count = collect_events(response, events);
    printf("%d %zu\n", zerohop_response_status(response), count);
    for (size_t index = 0; index < count; index++) {
      puts(events[index]);
      free(events[index]);
    }
  } else {
    zerohop_str reply = zerohop_response_body(response);
    printf("%d 1\n%.*s\n", zerohop_response_status(response), (int)reply.len, reply.data);
  }
  zerohop_response_free(response);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  zerohop_engine *engine = load(argc - 1, argv + 1);
  char *line = NULL;
  size_t capacity = 0;
  for (ssize_t len; (len = getline(&line, &capacity, stdin)) > 0;) {
    run(engine, line, (size_t)len);
  }
  free(line);
  zerohop_engine_free(engine);
  return 0;
}
