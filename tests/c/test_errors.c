/* What is wrong from the start: NULLs, and files that are no models. */
#include "check.h"

static void null_arguments_are_named(void) {
  zerohop_engine *engine = check_engine(TINY);
  zerohop_engine *made = NULL;
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  zerohop_str event = {NULL, 0};
  zerohop_request request = check_request("GET", "/v1/models", NULL);
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = &model;
  options.model_count = 1;

#define NULL_IS_NAMED(call, name)                                 \
  do {                                                            \
    zerohop_status null_status = (call);                          \
    CHECK_STR(zerohop_error_param(error), name);                  \
    CHECK_CONTAINS(zerohop_error_message(error), name);           \
    CHECK_STATUS(null_status, ZEROHOP_INVALID_ARGUMENT, error);   \
  } while (0)

  NULL_IS_NAMED(zerohop_engine_new(NULL, &made, &error), "options");
  NULL_IS_NAMED(zerohop_engine_new(&options, NULL, &error), "out");
  NULL_IS_NAMED(zerohop_send(NULL, &request, &response, &error), "engine");
  NULL_IS_NAMED(zerohop_send(engine, NULL, &response, &error), "request");
  NULL_IS_NAMED(zerohop_send(engine, &request, NULL, &error), "out");
  NULL_IS_NAMED(zerohop_response_next(NULL, &event, &error), "response");
  NULL_IS_NAMED(zerohop_response_next_timeout(NULL, 1, &event, &error), "response");
  zerohop_response *stream = check_chat(engine, CHAT_STREAM("\"max_tokens\":2"));
  NULL_IS_NAMED(zerohop_response_next(stream, NULL, &error), "out_event");
  NULL_IS_NAMED(zerohop_response_next_timeout(stream, 1, NULL, &error), "out_event");
  zerohop_response_free(stream);
  CHECK(made == NULL && response == NULL && event.data == NULL);
  zerohop_engine_free(engine);
}

static void nobody_need_take_an_error(void) {
  zerohop_engine *engine = NULL;
  CHECK_INT(zerohop_engine_new(NULL, &engine, NULL), ZEROHOP_INVALID_ARGUMENT);
  CHECK_INT(zerohop_engine_new(NULL, NULL, NULL), ZEROHOP_INVALID_ARGUMENT);
  CHECK_INT(zerohop_send(NULL, NULL, NULL, NULL), ZEROHOP_INVALID_ARGUMENT);
  CHECK_INT(zerohop_response_next(NULL, NULL, NULL), ZEROHOP_INVALID_ARGUMENT);
  CHECK_INT(zerohop_response_next_timeout(NULL, 0, NULL, NULL), ZEROHOP_INVALID_ARGUMENT);
}

static void plain_functions_take_null(void) {
  zerohop_engine_close(NULL);
  zerohop_engine_free(NULL);
  zerohop_response_cancel(NULL);
  zerohop_response_free(NULL);
  zerohop_cancel_token_cancel(NULL);
  zerohop_cancel_token_free(NULL);
  zerohop_error_free(NULL);
  CHECK(zerohop_cancel_token_clone(NULL) == NULL);
  CHECK(!zerohop_cancel_token_is_cancelled(NULL));
  CHECK_INT(zerohop_response_status(NULL), 0);
  CHECK(!zerohop_response_is_stream(NULL));
  CHECK(zerohop_response_body(NULL).data == NULL);
  CHECK(zerohop_response_text(NULL).data == NULL);
  CHECK(zerohop_response_header(NULL, "content-type", 12) == NULL);
  CHECK_INT(zerohop_error_status(NULL), ZEROHOP_OK);
  CHECK_INT(zerohop_error_http_status(NULL), 0);
  CHECK_STR(zerohop_error_message(NULL), "");
  CHECK(zerohop_error_type(NULL) == NULL);
  CHECK(zerohop_error_param(NULL) == NULL);
  CHECK(zerohop_error_code(NULL) == NULL);
}

static void check_file(const char *path, zerohop_status expected) {
  zerohop_model_options model = check_model_options("m", path);
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  zerohop_status status = check_engine_new(&model, 1, &engine, &error);
  CHECK_CONTAINS(zerohop_error_message(error), path);
  CHECK_INT(zerohop_error_http_status(error), 0);
  CHECK_STATUS(status, expected, error);
  CHECK(engine == NULL);
}

static void missing_files_are_named(void) {
  check_file("no-such-file.gguf", ZEROHOP_MODEL_FILE);
  check_file("no/such/f\xc3\xb6lder/file.gguf", ZEROHOP_MODEL_FILE);
  check_file("/", ZEROHOP_MODEL_FILE);
}

static void a_path_with_a_nul_is_no_file(void) {
  zerohop_model_options model = check_model_options("m", "x");
  const char path[] = "a\0b.gguf";
  model.path.data = path;
  model.path.len = sizeof path - 1;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &engine, &error), ZEROHOP_MODEL_FILE, error);
}

static void hostile_files_are_errors(void) {
  const char *const files[] = {"hostile/empty.gguf",       "hostile/not-gguf.gguf",
                               "hostile/bad-version.gguf", "hostile/huge-counts.gguf",
                               "hostile/truncated-header.gguf", "hostile/truncated-tensors.gguf"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) check_file(check_model(files[i]), ZEROHOP_INVALID_MODEL);
}

static void an_error_outlives_everything(void) {
  zerohop_error *error = NULL;
  zerohop_engine *engine = check_engine(TINY);
  zerohop_engine_close(engine);
  zerohop_request request = check_request("GET", "/v1/models", NULL);
  zerohop_response *response = NULL;
  zerohop_status status = zerohop_send(engine, &request, &response, &error);
  zerohop_engine_free(engine);
  CHECK_CONTAINS(zerohop_error_message(error), "closed");
  CHECK_STATUS(status, ZEROHOP_CLOSED, error);
}

int main(void) {
  RUN(null_arguments_are_named);
  RUN(nobody_need_take_an_error);
  RUN(plain_functions_take_null);
  RUN(missing_files_are_named);
  RUN(a_path_with_a_nul_is_no_file);
  RUN(hostile_files_are_errors);
  RUN(an_error_outlives_everything);
  return check_finish();
}
