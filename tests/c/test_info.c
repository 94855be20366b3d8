/* What can be asked: models, devices, headers, logs. */
#include <pthread.h>

#include "check.h"

static void models_are_described(void) {
  zerohop_str aliases[2] = {zerohop_str_of("first"), zerohop_str_of("second")};
  zerohop_model_options models[2] = {check_model_options("m", check_model(TINY)),
                                     check_model_options("n", check_model("tiny/tiny-no-template.gguf"))};
  models[0].aliases = aliases;
  models[0].alias_count = 2;
  models[0].context_length = 512;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(check_engine_new(models, 2, &engine, &error), ZEROHOP_OK, error);
  CHECK_INT(zerohop_engine_model_count(engine), 2);
  zerohop_model_info info;
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &info, sizeof info, &error), ZEROHOP_OK, error);
  /* Also when the models are gone. */
  zerohop_engine_close(engine);
  CHECK_INT(info.struct_size, sizeof info);
  CHECK_STR(info.id.data, "m");
  CHECK_CONTAINS(info.path.data, "tiny-llama.gguf");
  CHECK_STR(info.architecture.data, "llama");
  CHECK_INT(info.alias_count, 2);
  CHECK_STR(info.aliases[0].data, "first");
  CHECK_STR(info.aliases[1].data, "second");
  CHECK_INT(info.aliases[1].len, 6);
  CHECK_INT(info.context_length, 512);
  CHECK(info.trained_context_length > 0 && info.vocabulary_size > 0 && info.parameters > 0);
  CHECK(info.file_size > 1000 && info.created > 1000000000);
  CHECK(info.has_chat_template);
  CHECK_CONTAINS(info.batch_variance.data, "llama.cpp's kernels compute with");
  CHECK_STATUS(zerohop_engine_model_info(engine, 1, &info, sizeof info, &error), ZEROHOP_OK, error);
  CHECK_STR(info.id.data, "n");
  CHECK(info.aliases == NULL && info.alias_count == 0);
  CHECK(!info.has_chat_template);
  CHECK_INT(zerohop_engine_model_count(engine), 2);
  CHECK_STATUS(zerohop_engine_model_info(engine, 2, &info, sizeof info, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, NULL, sizeof info, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &info, 1, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &info, 1 << 20, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_engine_model_info(NULL, 0, &info, sizeof info, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_INT(zerohop_engine_model_count(NULL), 0);
  zerohop_engine_free(engine);
}

/* An older caller's struct is shorter, a newer one's longer. */
static void descriptions_fit_the_caller(void) {
  zerohop_engine *engine = check_engine(TINY);
  zerohop_error *error = NULL;
  union {
    zerohop_model_info info;
    unsigned char bytes[sizeof(zerohop_model_info) + 16];
  } place;
  memset(&place, 0xaa, sizeof place);
  size_t older = offsetof(zerohop_model_info, path);
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &place.info, older, &error), ZEROHOP_OK, error);
  CHECK_INT(place.info.struct_size, older);
  CHECK_STR(place.info.id.data, "m");
  CHECK_INT(place.bytes[older], 0xaa);
  CHECK_STATUS(zerohop_engine_model_info(engine, 0, &place.info, sizeof place, &error), ZEROHOP_OK, error);
  CHECK_INT(place.info.struct_size, sizeof place);
  CHECK_INT(place.bytes[sizeof place - 1], 0);
  zerohop_engine_free(engine);
}

static void devices_are_listed(void) {
  zerohop_device_list *list = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_device_list_new(&list, &error), ZEROHOP_OK, error);
  CHECK(zerohop_device_list_count(list) > 0);
  int processors = 0;
  zerohop_device device;
  for (size_t i = 0; i < zerohop_device_list_count(list); i++) {
    CHECK_STATUS(zerohop_device_list_get(list, i, &device, sizeof device, &error), ZEROHOP_OK, error);
    CHECK(device.name.len > 0 && device.description.data != NULL);
    CHECK_INT(strlen(device.name.data), device.name.len);
    if (device.kind == ZEROHOP_DEVICE_KIND_CPU) {
      processors++;
      CHECK(device.memory_total > 0 && device.memory_free <= device.memory_total);
    }
  }
  CHECK_INT(processors, 1);
  size_t count = zerohop_device_list_count(list);
  CHECK_STATUS(zerohop_device_list_get(list, count, &device, sizeof device, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_device_list_get(NULL, 0, &device, sizeof device, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_device_list_new(NULL, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_INT(zerohop_device_list_count(NULL), 0);
  zerohop_device_list_free(list);
  zerohop_device_list_free(NULL);
}

static void headers_can_be_walked(void) {
  zerohop_engine *engine = check_engine(TINY);
  zerohop_response *response = check_send(engine, "GET", "/v1/models", NULL);
  size_t count = zerohop_response_header_count(response);
  CHECK(count >= 2);
  int types = 0;
  for (size_t i = 0; i < count; i++) {
    zerohop_header header = zerohop_response_header_at(response, i);
    CHECK_STR(zerohop_response_header(response, header.name.data, header.name.len), header.value.data);
    if (strcmp(header.name.data, "content-type") == 0) types++;
  }
  CHECK_INT(types, 1);
  CHECK(zerohop_response_header_at(response, count).name.data == NULL);
  CHECK(zerohop_response_header_at(NULL, 0).value.data == NULL);
  CHECK_INT(zerohop_response_header_count(NULL), 0);
  zerohop_response_free(response);
  zerohop_engine_free(engine);
}

typedef struct {
  int messages;
  int worst;
  int least;
  bool from_llama;
  bool changing_is_refused;
} heard;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void hear(void *user_data, zerohop_log_level level, const char *target, const char *message) {
  heard *self = (heard *)user_data;
  pthread_mutex_lock(&lock);
  self->messages++;
  if (self->worst == 0 || level < self->worst) self->worst = level;
  if (level > self->least) self->least = level;
  if (strcmp(target, "zerohop::llama") == 0) self->from_llama = true;
  CHECK(message[0] != '\0' && strchr(message, '\n') == NULL);
  pthread_mutex_unlock(&lock);
  zerohop_status status = zerohop_log_set_callback(NULL, NULL, ZEROHOP_LOG_LEVEL_ERROR, NULL);
  self->changing_is_refused = status == ZEROHOP_INVALID_ARGUMENT;
}

static void logs_go_to_the_callback(void) {
  heard everything, little, nothing;
  memset(&everything, 0, sizeof everything);
  memset(&little, 0, sizeof little);
  memset(&nothing, 0, sizeof nothing);
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_log_set_callback(&everything, hear, ZEROHOP_LOG_LEVEL_TRACE, &error), ZEROHOP_OK, error);
  zerohop_engine_free(check_engine(TINY));
  CHECK(everything.messages > 10);
  CHECK(everything.from_llama && everything.changing_is_refused);
  CHECK(everything.least >= ZEROHOP_LOG_LEVEL_DEBUG);
  int before = everything.messages;
  CHECK_STATUS(zerohop_log_set_callback(&little, hear, ZEROHOP_LOG_LEVEL_ERROR, &error), ZEROHOP_OK, error);
  zerohop_engine_free(check_engine(TINY));
  CHECK_INT(little.messages, 0);
  CHECK_STATUS(zerohop_log_set_callback(&nothing, NULL, ZEROHOP_LOG_LEVEL_TRACE, &error), ZEROHOP_OK, error);
  zerohop_engine_free(check_engine(TINY));
  CHECK_INT(everything.messages, before);
  CHECK_INT(nothing.messages, 0);
  CHECK_STATUS(zerohop_log_set_callback(NULL, hear, 0, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_log_set_callback(NULL, hear, 6, &error), ZEROHOP_INVALID_ARGUMENT, error);
}

int main(void) {
  RUN(models_are_described);
  RUN(descriptions_fit_the_caller);
  RUN(devices_are_listed);
  RUN(headers_can_be_walked);
  RUN(logs_go_to_the_callback);
  return check_finish();
}
