/* LoRA adapters as models of their own, over weights that are shared. */
#include <pthread.h>

#include "check.h"

#define ADAPTER "tiny/tiny-lora.gguf"
#define MERGED "tiny/tiny-merged.gguf"

static zerohop_engine *engine;
/* A copy: check_model keeps four paths. */
static char adapter_path[1024];

static void answer(const char *model, char *text, size_t size) {
  char body[256];
  snprintf(body, sizeof body,
           "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"temperature\":0,"
           "\"max_tokens\":16}",
           model);
  zerohop_response *response = check_chat(engine, body);
  CHECK_INT(zerohop_response_status(response), 200);
  snprintf(text, size, "%s", zerohop_response_text(response).data);
  zerohop_response_free(response);
}

static zerohop_status load(const char *name, const char *path, const zerohop_adapter *adapters, size_t count,
                           zerohop_error **error) {
  zerohop_model_options model = check_model_options(name, check_model(path));
  model.adapters = adapters;
  model.adapter_count = count;
  return zerohop_engine_load(engine, &model, error);
}

static char base_text[1024], tuned_text[1024];

static void an_adapted_model_answers_as_one_with_merged_weights(void) {
  zerohop_adapter adapter = {zerohop_str_of(adapter_path), 1};
  zerohop_error *error = NULL;
  CHECK_STATUS(load("tuned", TINY, &adapter, 1, &error), ZEROHOP_OK, error);
  CHECK_STATUS(load("merged", MERGED, NULL, 0, &error), ZEROHOP_OK, error);
  adapter.scale = 0;
  CHECK_STATUS(load("untuned", TINY, &adapter, 1, &error), ZEROHOP_OK, error);
  char text[1024];
  answer("m", base_text, sizeof base_text);
  answer("tuned", tuned_text, sizeof tuned_text);
  CHECK(strcmp(base_text, tuned_text) != 0);
  answer("merged", text, sizeof text);
  CHECK_STR(text, tuned_text);
  answer("untuned", text, sizeof text);
  CHECK_STR(text, base_text);
}

static void adapters_are_described(void) {
  zerohop_model_info info;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &info, sizeof info, &error), ZEROHOP_OK, error);
  CHECK(info.adapters == NULL && info.adapter_count == 0);
  CHECK_STATUS(zerohop_engine_model_info(engine, 1, &info, sizeof info, &error), ZEROHOP_OK, error);
  CHECK_STR(info.id.data, "tuned");
  CHECK_INT(info.adapter_count, 1);
  CHECK_CONTAINS(info.adapters[0].path.data, ADAPTER);
  CHECK(info.adapters[0].scale == 1);
}

static void *ask_again(void *argument) {
  const int is_tuned = argument != NULL;
  for (int i = 0; i < 6; i++) {
    char text[1024];
    answer(is_tuned ? "tuned" : "m", text, sizeof text);
    CHECK_STR(text, is_tuned ? tuned_text : base_text);
  }
  return NULL;
}

static void all_answer_while_another_comes_and_goes(void) {
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  zerohop_adapter adapter = {zerohop_str_of(adapter_path), -1};
  zerohop_error *error = NULL;
  for (int i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, ask_again, i % 2 ? &threads[i] : NULL) != 0)
      check_fatal("pthread_create", "failed");
  }
  for (int i = 0; i < 3; i++) {
    CHECK_STATUS(load("other", TINY, &adapter, 1, &error), ZEROHOP_OK, error);
    CHECK_STATUS(zerohop_engine_unload(engine, zerohop_str_of("other"), &error), ZEROHOP_OK, error);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void what_is_no_adapter_is_refused(void) {
  zerohop_adapter adapters[2] = {{zerohop_str_of(adapter_path), 1}, {zerohop_str_of(check_model(TINY)), 1}};
  zerohop_error *error = NULL;
  CHECK_STATUS(load("x", TINY, adapters, 2, &error), ZEROHOP_INVALID_MODEL, error);
  CHECK_STATUS(load("x", TINY, NULL, 1, &error), ZEROHOP_INVALID_ARGUMENT, error);
  adapters[1].path = zerohop_str_of("/no/such.gguf");
  CHECK_STATUS(load("x", TINY, adapters, 2, &error), ZEROHOP_MODEL_FILE, error);
  CHECK_STATUS(load("x", "tiny/tiny-gemma3.gguf", adapters, 1, &error), ZEROHOP_INVALID_MODEL, error);
  CHECK_STATUS(load("x", TINY, adapters, 1, &error), ZEROHOP_OK, error);
}

int main(void) {
  engine = check_engine(TINY);
  snprintf(adapter_path, sizeof adapter_path, "%s", check_model(ADAPTER));
  RUN(an_adapted_model_answers_as_one_with_merged_weights);
  RUN(adapters_are_described);
  RUN(all_answer_while_another_comes_and_goes);
  RUN(what_is_no_adapter_is_refused);
  zerohop_engine_free(engine);
  return check_finish();
}
