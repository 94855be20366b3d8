/* Structs whose size, or content, is not what it should be. No model is loaded here. */
#include <stdint.h>

#include "check.h"

/* What making an engine of these options fails with, and which option it names. */
static void check_refused(const zerohop_engine_options *options, const char *param) {
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  zerohop_status status = zerohop_engine_new(options, &engine, &error);
  CHECK_STR(zerohop_error_param(error), param);
  CHECK_STR(zerohop_error_type(error), "invalid_request_error");
  CHECK_STATUS(status, ZEROHOP_INVALID_ARGUMENT, error);
  CHECK(engine == NULL);
}

static void check_model_refused(const zerohop_model_options *model, const char *param) {
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = model;
  options.model_count = 1;
  check_refused(&options, param);
}

static zerohop_model_options good_model(void) {
  return check_model_options("m", "no-such-file.gguf");
}

static void init_sets_the_defaults(void) {
  zerohop_model_options model;
  memset(&model, 0xA5, sizeof model);
  zerohop_model_options_init(&model, sizeof model);
  CHECK_INT(model.struct_size, sizeof model);
  CHECK(model.name.data == NULL && model.name.len == 0);
  CHECK_INT(model.context_length, 0);
  CHECK_INT(model.gpu_layers, ZEROHOP_GPU_LAYERS_AUTO);
  CHECK_INT(model.kv_type, ZEROHOP_KV_TYPE_F16);
  CHECK_INT(model.flash_attention, ZEROHOP_FLASH_ATTENTION_AUTO);
  CHECK_INT(model.device_count, 0);
  CHECK(model.use_mmap && model.prefix_cache && model.speculation);
  CHECK_INT(model.repack, ZEROHOP_REPACK_AUTO);
  CHECK(model.draft_model.data == NULL && model.prefix_cache_folder.data == NULL);
  CHECK(model.progress == NULL);

  zerohop_request request;
  zerohop_request_init(&request, sizeof request);
  CHECK(request.method.len == 4 && memcmp(request.method.data, "POST", 4) == 0);
  CHECK_INT(request.content_type.len, strlen("application/json"));
  CHECK(request.cancel == NULL);
}

static void init_writes_no_more_than_it_is_given(void) {
  unsigned char bytes[sizeof(zerohop_engine_options) + 64];
  zerohop_engine_options *options = (zerohop_engine_options *)(void *)bytes;

  memset(bytes, 0xA5, sizeof bytes);
  zerohop_engine_options_init(options, sizeof(size_t));
  CHECK_INT(options->struct_size, sizeof(size_t));
  CHECK_INT(bytes[sizeof(size_t)], 0xA5);

  /* A caller compiled against a newer header: what this library does not know is zero. */
  zerohop_engine_options_init(options, sizeof bytes);
  CHECK_INT(options->struct_size, sizeof bytes);
  CHECK_INT(bytes[sizeof bytes - 1], 0);

  memset(bytes, 0xA5, sizeof bytes);
  zerohop_engine_options_init(options, 0);
  zerohop_engine_options_init(options, sizeof(size_t) - 1);
  CHECK_INT(bytes[0], 0xA5);
  zerohop_engine_options_init(NULL, sizeof bytes);
  zerohop_model_options_init(NULL, 0);
  zerohop_request_init(NULL, sizeof(zerohop_request));
}

static void wrong_sizes_are_refused(void) {
  zerohop_model_options model = good_model();
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = &model;
  options.model_count = 1;
  const size_t wrong[] = {0, 1, sizeof(size_t), sizeof options - 1, 1u << 20, SIZE_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    options.struct_size = wrong[i];
    check_refused(&options, "options");
    model.struct_size = wrong[i];
    check_model_refused(&model, "models[0]");
  }
}

static void a_newer_caller_works_until_it_uses_what_is_new(void) {
  struct {
    zerohop_model_options known;
    uint64_t added;
  } newer;
  zerohop_model_options_init(&newer.known, sizeof newer);
  newer.known.name = zerohop_str_of("m");
  newer.known.path = zerohop_str_of("no-such-file.gguf");
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(&newer.known, 1, &engine, &error), ZEROHOP_MODEL_FILE, error);
  newer.added = 1;
  check_model_refused(&newer.known, "models[0]");
}

static void models_of_different_sizes_are_refused(void) {
  struct {
    zerohop_model_options first;
    zerohop_model_options second;
    uint64_t tail;
  } models = {good_model(), good_model(), 0};
  models.second.struct_size += sizeof models.tail;
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = &models.first;
  options.model_count = 2;
  check_refused(&options, "models[1]");
}

static void an_engine_needs_models(void) {
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_engine_new(&options, &engine, &error), ZEROHOP_INVALID_ARGUMENT, error);
  options.model_count = 1;
  check_refused(&options, "models[0]");
}

static void a_bad_option_is_named(void) {
  zerohop_model_options model = good_model();
  model.kv_type = 99;
  check_model_refused(&model, "models[0].kv_type");

  model = good_model();
  model.repack = 3;
  check_model_refused(&model, "models[0].repack");

  model = good_model();
  model.gpu_layers = -3;
  check_model_refused(&model, "models[0].gpu_layers");
  model = good_model();
  model.flash_attention = 3;
  check_model_refused(&model, "models[0].flash_attention");

  model = good_model();
  model.name.data = NULL;
  check_model_refused(&model, "models[0].name");

  model = good_model();
  model.path.len = SIZE_MAX;
  check_model_refused(&model, "models[0].path");

  model = good_model();
  model.alias_count = 3;
  check_model_refused(&model, "models[0].aliases");

  const zerohop_str aliases[] = {zerohop_str_of("fine"), {NULL, 5}};
  model = good_model();
  model.aliases = aliases;
  model.alias_count = 2;
  check_model_refused(&model, "models[0].aliases[1]");
}

static void text_must_be_utf8(void) {
  zerohop_model_options model = good_model();
  model.name = zerohop_str_of("caf\xe9");
  check_model_refused(&model, "models[0].name");
  model = good_model();
  model.path = zerohop_str_of("\xc3(.gguf");
  check_model_refused(&model, "models[0].path");
  model = good_model();
  model.chat_template = zerohop_str_of("\xed\xa0\x80"); /* half a surrogate pair */
  check_model_refused(&model, "models[0].chat_template");
}

static void names_must_differ(void) {
  zerohop_model_options models[2] = {good_model(), good_model()};
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(models, 2, &engine, &error), ZEROHOP_INVALID_ARGUMENT, error);
  models[1].name = zerohop_str_of("");
  CHECK_STATUS(check_engine_new(models, 2, &engine, &error), ZEROHOP_INVALID_ARGUMENT, error);
  const zerohop_str alias = zerohop_str_of("m");
  models[1].name = zerohop_str_of("n");
  models[1].aliases = &alias;
  models[1].alias_count = 1;
  CHECK_STATUS(check_engine_new(models, 2, &engine, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK(engine == NULL);
}

static void strings_are_measured(void) {
  CHECK_INT(zerohop_str_of("abc").len, 3);
  CHECK_INT(zerohop_str_of("").len, 0);
  CHECK(zerohop_str_of("").data != NULL);
  CHECK(zerohop_str_of(NULL).data == NULL);
  CHECK_INT(zerohop_str_of(NULL).len, 0);
}

int main(void) {
  RUN(init_sets_the_defaults);
  RUN(init_writes_no_more_than_it_is_given);
  RUN(wrong_sizes_are_refused);
  RUN(a_newer_caller_works_until_it_uses_what_is_new);
  RUN(models_of_different_sizes_are_refused);
  RUN(an_engine_needs_models);
  RUN(a_bad_option_is_named);
  RUN(text_must_be_utf8);
  RUN(names_must_differ);
  RUN(strings_are_measured);
  return check_finish();
}
