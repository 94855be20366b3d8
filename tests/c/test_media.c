/* Images in chats, through the door, and where they may come from. */
#include "check.h"

#define SEES "tiny/qwen2vl/tiny-qwen2vl.gguf"
#define PROJECTOR "tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf"

/* Two by two pixels: red, green, blue and white. */
#define PICTURE "Qk1GAAAAAAAAADYAAAAoAAAAAgAAAAIAAAABABgAAAAAABAAAAATCwAAEwsAAAAAAAAAAAAA/wAA////AAAAAP8A/wAAAA=="

static unsigned char bytes[] = {
    0x42, 0x4D, 0x46, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x36, 0x00, 0x00, 0x00, 0x28, 0x00, 0x00,
    0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x18, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x10, 0x00, 0x00, 0x00, 0x13, 0x0B, 0x00, 0x00, 0x13, 0x0B, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00,
    0x00, 0x00};

static int fetches;

static bool fetch(void *user_data, zerohop_str url, const zerohop_fetched *fetched) {
  CHECK(user_data == &fetches);
  fetches++;
  if (strncmp(url.data, "https://example.com/picture", url.len) != 0) {
    zerohop_fetched_fail(fetched, zerohop_str_of("there is no such picture"));
    zerohop_fetched_fail(NULL, zerohop_str_of("nobody hears this"));
    return false;
  }
  zerohop_str first = {(const char *)bytes, 10};
  zerohop_str rest = {(const char *)bytes + 10, sizeof bytes - 10};
  zerohop_fetched_write(fetched, first);
  zerohop_fetched_write(fetched, rest);
  zerohop_fetched_write(NULL, rest);
  return true;
}

static zerohop_response *look(zerohop_engine *engine, const char *url) {
  char body[1024];
  snprintf(body, sizeof body,
           "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
           "{\"url\":\"%s\"}}]}],\"temperature\":0,\"max_tokens\":8}",
           url);
  return check_chat(engine, body);
}

static void answer(zerohop_engine *engine, const char *url, char *text, size_t size) {
  zerohop_response *response = look(engine, url);
  CHECK_INT(zerohop_response_status(response), 200);
  snprintf(text, size, "%s", zerohop_response_text(response).data);
  zerohop_response_free(response);
}

static zerohop_engine *load(zerohop_model_options *model) {
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = model;
  options.model_count = 1;
  zerohop_engine *engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_engine_new(&options, &engine, &error), ZEROHOP_OK, error);
  return engine;
}

static void an_image_is_seen_and_fetched(void) {
  zerohop_model_options model = check_model_options("m", check_model(SEES));
  model.projector = zerohop_str_of(check_model(PROJECTOR));
  model.media_fetcher = fetch;
  model.media_fetcher_user_data = &fetches;
  zerohop_engine *engine = load(&model);
  char inline_text[1024], fetched_text[1024];
  answer(engine, "data:image/bmp;base64," PICTURE, inline_text, sizeof inline_text);
  answer(engine, "https://example.com/picture", fetched_text, sizeof fetched_text);
  CHECK_STR(inline_text, fetched_text);
  zerohop_response *refused = look(engine, "https://example.com/other");
  CHECK_INT(zerohop_response_status(refused), 400);
  CHECK_CONTAINS(zerohop_response_body(refused).data, "there is no such picture");
  zerohop_response_free(refused);
  CHECK_INT(fetches, 2);
  zerohop_engine_free(engine);
}

static void what_is_not_allowed_is_refused(void) {
  zerohop_model_options model = check_model_options("m", check_model(SEES));
  zerohop_engine *engine = load(&model);
  static const char *const urls[] = {"https://example.com/picture", "file:///etc/hostname", "picture",
                                     "data:image/png;base64,AAAA"};
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    zerohop_response *refused = look(engine, urls[i]);
    CHECK_INT(zerohop_response_status(refused), 400);
    CHECK_CONTAINS(zerohop_response_body(refused).data, "messages[0].content[0].image_url.url");
    zerohop_response_free(refused);
  }
  zerohop_engine_free(engine);
}

static void files_of_a_folder_are_read(void) {
  char folder[] = "/tmp/zerohop-media-XXXXXX", path[64], url[96];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/picture.bmp", folder);
  snprintf(url, sizeof url, "file://%s", path);
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fwrite(bytes, 1, sizeof bytes, file) == sizeof bytes && fclose(file) == 0);
  zerohop_model_options model = check_model_options("m", check_model(SEES));
  model.media_folder = zerohop_str_of(folder);
  zerohop_engine *engine = load(&model);
  char text[1024];
  answer(engine, url, text, sizeof text);
  zerohop_engine_free(engine);
  remove(path);
  remove(folder);
}

int main(void) {
  RUN(an_image_is_seen_and_fetched);
  RUN(what_is_not_allowed_is_refused);
  RUN(files_of_a_folder_are_read);
  return check_finish();
}
