/* What the examples share: loading a model and sending a request. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zerohop.h>

#include "json.h"

/* Prints why a call did not come to ZEROHOP_OK, and ends the program. */
static inline void fail(zerohop_status status, zerohop_error *error) {
  fprintf(stderr, "%s: %s\n", zerohop_status_name(status), zerohop_error_message(error));
  zerohop_error_free(error);
  exit(1);
}

/* An engine that serves the file as the model "chat". */
static inline zerohop_engine *load(const char *path) {
  zerohop_model_options model;
  zerohop_model_options_init(&model, sizeof model);
  model.name = zerohop_str_of("chat");
  model.path = zerohop_str_of(path);

  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = &model;
  options.model_count = 1;

  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  zerohop_status status = zerohop_engine_new(&options, &engine, &error);
  if (status != ZEROHOP_OK) fail(status, error);
  return engine;
}

/* A request for a chat completion; `body` must stay until it is sent. */
static inline zerohop_request chat_request(const char *body) {
  zerohop_request request;
  zerohop_request_init(&request, sizeof request);
  request.path = zerohop_str_of("/v1/chat/completions");
  request.body = zerohop_str_of(body);
  return request;
}

/* Sends it. A refusal, such as a 400, ends the program: its body says why. */
static inline zerohop_response *send_chat(const zerohop_engine *engine, const char *body) {
  zerohop_request request = chat_request(body);
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  zerohop_status status = zerohop_send(engine, &request, &response, &error);
  if (status != ZEROHOP_OK) fail(status, error);
  if (zerohop_response_status(response) != 200) {
    fprintf(stderr, "%d %s\n", zerohop_response_status(response), zerohop_response_body(response).data);
    exit(1);
  }
  return response;
}

#endif
