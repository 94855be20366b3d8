/* Loading models and closing engines. */
#include "check.h"

static void models_are_listed(void) {
  const zerohop_str aliases[] = {zerohop_str_of("other"), zerohop_str_of("a/b")};
  zerohop_model_options models[2] = {check_model_options("one", check_model(TINY)),
                                     check_model_options("two", check_model("tiny/tiny-spm.gguf"))};
  models[0].aliases = aliases;
  models[0].alias_count = 2;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(models, 2, &engine, &error), ZEROHOP_OK, error);

  zerohop_response *list = check_send(engine, "GET", "/v1/models", NULL);
  CHECK_INT(zerohop_response_status(list), 200);
  const char *const names[] = {"\"one\"", "\"two\"", "\"other\"", "\"a/b\""};
  for (size_t i = 0; i < 4; i++) CHECK_CONTAINS(zerohop_response_body(list).data, names[i]);
  zerohop_response_free(list);

  const char *const paths[] = {"/v1/models/two", "/models/other", "/v1/models/a%2Fb", "/v1/models/a/b?x=1"};
  for (size_t i = 0; i < 4; i++) {
    zerohop_response *model = check_send(engine, "GET", paths[i], "");
    CHECK_INT(zerohop_response_status(model), 200);
    zerohop_response_free(model);
  }
  zerohop_response *unknown = check_send(engine, "GET", "/v1/models/three", NULL);
  CHECK_INT(zerohop_response_status(unknown), 404);
  zerohop_response_free(unknown);
  zerohop_engine_free(engine);
}

static void every_option_is_taken(void) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = 512;
  model.gpu_layers = 0;
  model.parallel = 2;
  model.queue = 3;
  model.kv_type = ZEROHOP_KV_TYPE_F32;
  model.use_mmap = false;
  model.repack = ZEROHOP_REPACK_ON;
  /* The answer's length tells whose template it was: this one renders nine letters. */
  model.chat_template = zerohop_str_of("abcdefghi");
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &engine, &error), ZEROHOP_OK, error);
  zerohop_response *response = check_chat(engine, CHAT("\"max_tokens\":1"));
  CHECK_CONTAINS(zerohop_response_body(response).data, "\"prompt_tokens\":9,");
  zerohop_response_free(response);

  /* Longer than the context. */
  response = check_chat(engine, CHAT("\"max_tokens\":600"));
  CHECK_INT(zerohop_response_status(response), 400);
  CHECK_CONTAINS(zerohop_response_body(response).data, "context_length_exceeded");
  zerohop_response_free(response);
  zerohop_engine_free(engine);
}

static void options_out_of_range_are_refused(void) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.parallel = 257;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &engine, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK(engine == NULL);
}

static void a_text_that_is_no_template_is_an_error(void) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.chat_template = zerohop_str_of("{% for %}");
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK(check_engine_new(&model, 1, &engine, &error) < 0);
  CHECK(zerohop_error_message(error)[0] != '\0');
  zerohop_error_free(error);
  CHECK(engine == NULL);
}

typedef struct {
  int calls;
  float last;
  int stop_at_call;
} progress_log;

static bool note_progress(void *user_data, float fraction) {
  progress_log *log = (progress_log *)user_data;
  log->calls++;
  log->last = fraction;
  return log->calls != log->stop_at_call;
}

static void progress_is_told(void) {
  progress_log log = {0, -1, 0};
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.progress = note_progress;
  model.progress_user_data = &log;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &engine, &error), ZEROHOP_OK, error);
  CHECK(log.calls > 0);
  CHECK(log.last > 0.99f);
  zerohop_engine_free(engine);
}

static void progress_can_stop_the_loading(void) {
  progress_log log = {0, -1, 1};
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.progress = note_progress;
  model.progress_user_data = &log;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &engine, &error), ZEROHOP_CANCELLED, error);
  CHECK_INT(log.calls, 1);
  CHECK(engine == NULL);
}

static void a_closed_engine_refuses(void) {
  zerohop_engine *engine = check_engine(TINY);
  zerohop_engine_close(engine);
  zerohop_engine_close(engine);
  zerohop_request request = check_request("POST", "/v1/chat/completions", CHAT("\"max_tokens\":1"));
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_CLOSED, error);
  CHECK(response == NULL);
  zerohop_engine_free(engine);
}

static void engines_live_side_by_side(void) {
  zerohop_engine *first = check_engine(TINY);
  zerohop_engine *second = check_engine(TINY);
  zerohop_engine_free(first);
  zerohop_response *response = check_chat(second, CHAT("\"max_tokens\":3"));
  CHECK_INT(zerohop_response_status(response), 200);
  zerohop_response_free(response);
  zerohop_engine_free(second);
}

static int chat_status(zerohop_engine *engine, const char *body) {
  zerohop_response *response = check_chat(engine, body);
  int status = zerohop_response_status(response);
  zerohop_response_free(response);
  return status;
}

static void models_come_and_go(void) {
  zerohop_engine *engine = check_engine(TINY);
  zerohop_error *error = NULL;
  const char *ask = "{\"model\":\"new\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":1}";
  CHECK_INT(chat_status(engine, ask), 404);
  zerohop_model_info kept;
  for (int round = 0; round < 3; round++) {
    zerohop_model_options model = check_model_options("new", check_model(TINY));
    model.threads = 1;
    CHECK_STATUS(zerohop_engine_load(engine, &model, &error), ZEROHOP_OK, error);
    CHECK_INT(zerohop_engine_model_count(engine), 2);
    CHECK_STATUS(zerohop_engine_model_info(engine, 1, &kept, sizeof kept, &error), ZEROHOP_OK, error);
    CHECK(kept.loaded);
    CHECK_STATUS(zerohop_engine_load(engine, &model, &error), ZEROHOP_INVALID_ARGUMENT, error);
    CHECK_INT(chat_status(engine, ask), 200);
    CHECK_STATUS(zerohop_engine_unload(engine, zerohop_str_of("new"), &error), ZEROHOP_OK, error);
    CHECK_INT(zerohop_engine_model_count(engine), 1);
    CHECK_INT(chat_status(engine, ask), 404);
  }
  /* As long as the engine. */
  CHECK_STR(kept.id.data, "new");
  CHECK_STATUS(zerohop_engine_unload(engine, zerohop_str_of("new"), &error), ZEROHOP_NOT_FOUND, error);
  CHECK_STATUS(zerohop_engine_unload(NULL, zerohop_str_of("new"), &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_engine_load(engine, NULL, &error), ZEROHOP_INVALID_ARGUMENT, error);
  zerohop_engine_free(engine);
}

static void a_lazy_model_is_loaded_for_its_first_request(void) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.lazy = true;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &engine, &error), ZEROHOP_OK, error);
  zerohop_model_info info;
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &info, sizeof info, &error), ZEROHOP_OK, error);
  CHECK(!info.loaded);
  CHECK_INT(chat_status(engine, CHAT("\"max_tokens\":1")), 200);
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &info, sizeof info, &error), ZEROHOP_OK, error);
  CHECK(info.loaded);
  zerohop_engine_free(engine);
}

/* A copy: check_model keeps four paths. */
static char draft_path[1024];

static void a_draft_model_is_described(void) {
  snprintf(draft_path, sizeof draft_path, "%s", check_model("tiny/tiny-q8.gguf"));
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.draft_model = zerohop_str_of(draft_path);
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&model, 1, &engine, &error), ZEROHOP_OK, error);
  zerohop_model_info info;
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &info, sizeof info, &error), ZEROHOP_OK, error);
  CHECK_STR(info.draft_model.data, draft_path);
  CHECK_INT(chat_status(engine, CHAT("\"max_tokens\":8")), 200);
  zerohop_engine_free(engine);
}

static void a_prefix_cache_outlives_its_engine(void) {
  char folder[] = "/tmp/zerohop-test-XXXXXX";
  CHECK(mkdtemp(folder) != NULL);
  char body[4096] = "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"";
  for (int i = 0; i < 300; i++) strcat(body, "word ");
  strcat(body, "\"}]}");
  for (int round = 0; round < 2; round++) {
    zerohop_model_options model = check_model_options("m", check_model(TINY));
    model.prefix_cache_folder = zerohop_str_of(folder);
    zerohop_engine *engine = NULL;
    zerohop_error *error = NULL;
    CHECK_STATUS(check_engine_new(&model, 1, &engine, &error), ZEROHOP_OK, error);
    zerohop_response *response = check_chat(engine, body);
    CHECK_INT(zerohop_response_status(response), 200);
    CHECK((strstr(zerohop_response_body(response).data, "\"cached_tokens\":0") == NULL) == (round > 0));
    zerohop_response_free(response);
    zerohop_engine_free(engine);
  }
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK_INT(system(command), 0);
}

static void a_memory_budget_is_kept(void) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = &model;
  options.model_count = 1;
  options.memory_budget = 1000;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_engine_new(&options, &engine, &error), ZEROHOP_UNAVAILABLE, error);
  CHECK(engine == NULL);
}

int main(void) {
  RUN(models_are_listed);
  RUN(every_option_is_taken);
  RUN(options_out_of_range_are_refused);
  RUN(a_text_that_is_no_template_is_an_error);
  RUN(progress_is_told);
  RUN(progress_can_stop_the_loading);
  RUN(a_closed_engine_refuses);
  RUN(engines_live_side_by_side);
  RUN(models_come_and_go);
  RUN(a_lazy_model_is_loaded_for_its_first_request);
  RUN(a_draft_model_is_described);
  RUN(a_prefix_cache_outlives_its_engine);
  RUN(a_memory_budget_is_kept);
  return check_finish();
}
