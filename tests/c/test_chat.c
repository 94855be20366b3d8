/* Whole replies, and what a hosted API would refuse. */
#include "check.h"

static zerohop_engine *engine;

static void a_reply_has_status_headers_and_body(void) {
  zerohop_response *response = check_chat(engine, CHAT("\"max_tokens\":5"));
  CHECK_INT(zerohop_response_status(response), 200);
  CHECK(!zerohop_response_is_stream(response));
  CHECK_STR(zerohop_response_header(response, "content-type", 12), "application/json");
  CHECK_STR(zerohop_response_header(response, "Content-Type and more", 12), "application/json");
  CHECK_CONTAINS(zerohop_response_header(response, "X-Request-Id", 12), "req_");
  CHECK(zerohop_response_header(response, "no-such-header", 14) == NULL);
  CHECK(zerohop_response_header(response, NULL, 0) == NULL);
  CHECK(zerohop_response_header(response, NULL, 3) == NULL);

  zerohop_str body = zerohop_response_body(response);
  CHECK_INT(strlen(body.data), body.len);
  CHECK_CONTAINS(body.data, "\"object\":\"chat.completion\"");
  CHECK_CONTAINS(body.data, "\"completion_tokens\":5");
  CHECK_CONTAINS(body.data, "\"finish_reason\":\"length\"");

  zerohop_str text = zerohop_response_text(response);
  CHECK(text.len > 0 && strlen(text.data) == text.len);
  CHECK(zerohop_response_text(response).data == text.data);
  /* Stopping what is complete does nothing. */
  zerohop_response_cancel(response);
  CHECK_INT(zerohop_response_status(response), 200);
  zerohop_response_free(response);
}

static void a_body_need_not_end_in_nul(void) {
  const char *body = CHAT("\"max_tokens\":1") "}}} this is not part of it";
  zerohop_request request = check_request("POST", "/v1/chat/completions", body);
  request.body.len = strlen(CHAT("\"max_tokens\":1"));
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_OK, error);
  CHECK_INT(zerohop_response_status(response), 200);
  zerohop_response_free(response);
}

static void the_same_request_gives_the_same_answer(void) {
  zerohop_response *first = check_chat(engine, CHAT("\"max_tokens\":20"));
  zerohop_response *second = check_chat(engine, CHAT("\"max_tokens\":20"));
  CHECK_STR(zerohop_response_text(first).data, zerohop_response_text(second).data);
  zerohop_response_free(first);
  zerohop_response_free(second);
}

/* A refusal is a response, with the API's error object. */
static void check_refused(const char *method, const char *path, zerohop_str body, int status, const char *part) {
  zerohop_request request = check_request(method, path, NULL);
  request.body = body;
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_OK, error);
  CHECK_INT(zerohop_response_status(response), status);
  CHECK(!zerohop_response_is_stream(response));
  CHECK_CONTAINS(zerohop_response_body(response).data, "{\"error\":{");
  CHECK_CONTAINS(zerohop_response_body(response).data, part);
  CHECK_CONTAINS(zerohop_response_header(response, "x-request-id", 12), "req_");
  CHECK(zerohop_response_text(response).data == NULL);
  zerohop_response_free(response);
}

static void check_chat_refused(const char *body, int status, const char *part) {
  check_refused("POST", "/v1/chat/completions", zerohop_str_of(body), status, part);
}

static void bad_requests_are_400(void) {
  check_chat_refused("", 400, "invalid_request_error");
  check_chat_refused("{", 400, "invalid_request_error");
  check_chat_refused("[]", 400, "invalid_request_error");
  check_chat_refused("{\"model\":\"m\"}", 400, "messages");
  check_chat_refused(CHAT("\"temperatur\":1"), 400, "temperatur");
  check_chat_refused(CHAT("\"top_p\":3"), 400, "top_p");
  /* Also where a stream was asked for. */
  check_chat_refused(CHAT_STREAM("\"top_p\":3"), 400, "top_p");
}

static void bytes_that_are_no_text_are_400(void) {
  check_chat_refused("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", 400,
                     "invalid_request_error");
  const zerohop_str nuls = {"\0\0\0", 3};
  check_refused("POST", "/v1/chat/completions", nuls, 400, "invalid_request_error");
}

static void unknown_names_are_404(void) {
  check_chat_refused("{\"model\":\"n\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 404, "model_not_found");
  check_refused("POST", "/v1/no/such/path", zerohop_str_of("{}"), 404, "invalid_request_error");
  check_refused("GET", "/", zerohop_str_of(NULL), 404, "invalid_request_error");
}

static void deep_nesting_is_400(void) {
  enum { DEPTH = 200000 };
  char *body = (char *)malloc(DEPTH + 1);
  memset(body, '[', DEPTH);
  body[DEPTH] = '\0';
  check_chat_refused(body, 400, "invalid_request_error");
  free(body);
}

static void what_is_not_http_is_an_error(void) {
  zerohop_request request = check_request("GET", "/v1/models", NULL);
  zerohop_header header = {zerohop_str_of("bad name"), zerohop_str_of("x")};
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;

#define IS_REFUSED(name)                                                      \
  do {                                                                        \
    zerohop_status http_status = zerohop_send(engine, &request, &response, &error); \
    CHECK_STR(zerohop_error_param(error), name);                              \
    CHECK_STATUS(http_status, ZEROHOP_INVALID_ARGUMENT, error);               \
    CHECK(response == NULL);                                                  \
  } while (0)

  request.headers = &header;
  request.header_count = 1;
  IS_REFUSED("headers[0].name");
  header.name = zerohop_str_of("x-fine");
  header.value = zerohop_str_of("line\nbreak");
  IS_REFUSED("headers[0].value");
  request.headers = NULL;
  IS_REFUSED("headers");
  request.header_count = 0;

  request.method = zerohop_str_of("NO METHOD");
  IS_REFUSED("method");
  request.method = zerohop_str_of("GET");
  request.path = zerohop_str_of("no slash");
  IS_REFUSED("path");
  request.path = zerohop_str_of("/\xff");
  IS_REFUSED("path");
  request.path = zerohop_str_of("/v1/models");
  request.body.len = 7;
  IS_REFUSED("body");
  request.struct_size = 0;
  IS_REFUSED("request");
}

static void a_real_model_knows_its_capitals(void) {
  zerohop_engine *smol = check_engine(SMOLLM2);
  zerohop_response *response = check_chat(
      smol,
      "{\"model\":\"m\",\"temperature\":0,\"max_completion_tokens\":24,\"messages\":[{\"role\":\"user\","
      "\"content\":\"What is the capital of France? Answer in one sentence.\"}]}");
  CHECK_INT(zerohop_response_status(response), 200);
  CHECK_CONTAINS(zerohop_response_text(response).data, "Paris");
  zerohop_response_free(response);
  zerohop_engine_free(smol);
}

int main(void) {
  engine = check_engine(TINY);
  RUN(a_reply_has_status_headers_and_body);
  RUN(a_body_need_not_end_in_nul);
  RUN(the_same_request_gives_the_same_answer);
  RUN(bad_requests_are_400);
  RUN(bytes_that_are_no_text_are_400);
  RUN(unknown_names_are_404);
  RUN(deep_nesting_is_400);
  RUN(what_is_not_http_is_an_error);
  RUN(a_real_model_knows_its_capitals);
  zerohop_engine_free(engine);
  return check_finish();
}
