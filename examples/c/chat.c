/*
 * Streams the answer to a question: chat MODEL.gguf [QUESTION]
 *
 *   cc chat.c -o chat -lzerohop
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zerohop.h>

/* Writes text as a JSON string; returns the end of what it wrote, at most 6 bytes per byte and 2. */
static char *write_json_string(char *out, const char *text) {
  *out++ = '"';
  for (; *text != '\0'; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte == '"' || byte == '\\') {
      *out++ = '\\';
      *out++ = (char)byte;
    } else if (byte < 0x20) {
      out += sprintf(out, "\\u%04x", (unsigned)byte);
    } else {
      *out++ = (char)byte;
    }
  }
  *out++ = '"';
  return out;
}

/* The JSON body of a chat request, to be freed; NULL if there is no memory. */
static char *chat_request(const char *question) {
  const char *head = "{\"model\": \"chat\", \"stream\": true, \"temperature\": 0, \"max_completion_tokens\": 200, "
                     "\"messages\": [{\"role\": \"user\", \"content\": ";
  const char *tail = "}]}";
  char *body = (char *)malloc(strlen(head) + 6 * strlen(question) + 2 + strlen(tail) + 1);
  if (body == NULL) return NULL;
  strcpy(body, head);
  strcpy(write_json_string(body + strlen(head), question), tail);
  return body;
}

static zerohop_status load(const char *path, zerohop_engine **engine, zerohop_error **error) {
  zerohop_model_options model;
  zerohop_model_options_init(&model, sizeof model);
  model.name = zerohop_str_of("chat");
  model.path = zerohop_str_of(path);

  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = &model;
  options.model_count = 1;
  return zerohop_engine_new(&options, engine, error);
}

/* Prints the answer as it comes. */
static zerohop_status print_answer(zerohop_response *response, zerohop_error **error) {
  if (!zerohop_response_is_stream(response)) {
    /* A refusal, such as a 400: its body says why. */
    fprintf(stderr, "status %d: %s\n", zerohop_response_status(response), zerohop_response_body(response).data);
    return ZEROHOP_INVALID_REQUEST;
  }
  zerohop_str event;
  zerohop_status status;
  while ((status = zerohop_response_next(response, &event, error)) == ZEROHOP_OK) {
    /* `event` is the chunk's JSON; programs that need more than the text parse that. */
    zerohop_str text = zerohop_response_text(response);
    if (text.data != NULL) fwrite(text.data, 1, text.len, stdout);
    fflush(stdout);
  }
  putchar('\n');
  return status == ZEROHOP_END ? ZEROHOP_OK : status;
}

static zerohop_status ask(const zerohop_engine *engine, const char *question, zerohop_error **error) {
  char *body = chat_request(question);
  if (body == NULL) return ZEROHOP_UNAVAILABLE;

  zerohop_request request;
  zerohop_request_init(&request, sizeof request);
  request.path = zerohop_str_of("/v1/chat/completions");
  request.body = zerohop_str_of(body);

  zerohop_response *response = NULL;
  zerohop_status status = zerohop_send(engine, &request, &response, error);
  free(body);
  if (status == ZEROHOP_OK) status = print_answer(response, error);
  zerohop_response_free(response);
  return status;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s MODEL.gguf [QUESTION]\n", argv[0]);
    return 2;
  }
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  zerohop_status status = load(argv[1], &engine, &error);
  if (status == ZEROHOP_OK) status = ask(engine, argc > 2 ? argv[2] : "What is the capital of France? Answer in one sentence.", &error);
  if (status != ZEROHOP_OK) fprintf(stderr, "%s: %s\n", zerohop_status_name(status), zerohop_error_message(error));
  zerohop_error_free(error);
  zerohop_engine_free(engine);
  return status != ZEROHOP_OK;
}
