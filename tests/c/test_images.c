/* Images by requests as clients send them: a whole answer, events, a form, errors, and chat beside them. */
#include "check.h"

#include <pthread.h>

#define CHECKPOINT "tiny/diffusion/sd1.safetensors"
/* One step of a small image, the same each time. */
#define IMAGE(rest)                                                                                   \
  "{\"model\":\"sd\",\"prompt\":\"a b c\",\"size\":\"64x64\",\"seed\":7,\"steps\":1,\"cfg_scale\":1," rest "}"

static zerohop_engine *engine;

static zerohop_response *generate(const char *body) {
  return check_send(engine, "POST", "/v1/images/generations", body);
}

/* How often a text is in another. */
static int count(const char *text, const char *part) {
  int found = 0;
  for (; (text = strstr(text, part)); text += strlen(part)) found++;
  return found;
}

static void two_images_are_made(void) {
  zerohop_response *response = generate(IMAGE("\"n\":2"));
  CHECK_INT(zerohop_response_status(response), 200);
  /* Base64 of a PNG's first bytes and of its width and height. */
  CHECK_INT(count(zerohop_response_body(response).data, "\"b64_json\":\"iVBORw0KGgoAAAANSUhEUgAAAEAAAABA"), 2);
  CHECK_CONTAINS(zerohop_response_body(response).data, "\"output_tokens\":32");
  zerohop_response *same = generate(IMAGE("\"n\":1"));
  const char *image = strstr(zerohop_response_body(same).data, "\"b64_json\":\"");
  CHECK(image && strncmp(image, strstr(zerohop_response_body(response).data, "\"b64_json\":\""), 2000) == 0);
  zerohop_response_free(same);
  zerohop_response_free(response);
}

static void a_stream_ends_with_the_image(void) {
  zerohop_response *response = generate(
      "{\"model\":\"sd\",\"prompt\":\"a\",\"size\":\"64x64\",\"steps\":2,\"stream\":true,\"partial_images\":1}");
  zerohop_error *error = NULL;
  zerohop_str event;
  CHECK_STATUS(zerohop_response_next(response, &event, &error), ZEROHOP_OK, error);
  CHECK_CONTAINS(event.data, "image_generation.partial_image");
  CHECK_STATUS(zerohop_response_next(response, &event, &error), ZEROHOP_OK, error);
  CHECK_CONTAINS(event.data, "image_generation.completed");
  CHECK_STATUS(zerohop_response_next(response, &event, &error), ZEROHOP_END, error);
  zerohop_response_free(response);
}

/* A form with the fields of an edit and a PNG of two by two pixels, which has bytes that are zero. */
static void an_image_is_edited(void) {
  static const unsigned char png[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
      0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x02, 0x00, 0x00, 0x00, 0xfd, 0xd4, 0x9a,
      0x73, 0x00, 0x00, 0x00, 0x13, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x38, 0x21, 0x17, 0x05,
      0x44, 0x0c, 0x0c, 0x51, 0x72, 0x40, 0x04, 0x00, 0x1e, 0x36, 0x03, 0x71, 0x01, 0x69, 0xc2, 0x1d,
      0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  static const char start[] =
      "--edge\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nsd\r\n"
      "--edge\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\na b\r\n"
      "--edge\r\ncontent-disposition: form-data; name=\"steps\"\r\n\r\n1\r\n"
      "--edge\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n"
      "content-type: image/png\r\n\r\n";
  static const char end[] = "\r\n--edge--\r\n";
  char form[1024];
  size_t size = 0;
  memcpy(form, start, sizeof start - 1), size += sizeof start - 1;
  memcpy(form + size, png, sizeof png), size += sizeof png;
  memcpy(form + size, end, sizeof end - 1), size += sizeof end - 1;

  zerohop_request request = check_request("POST", "/v1/images/edits", NULL);
  request.content_type = zerohop_str_of("multipart/form-data; boundary=edge");
  request.body.data = form;
  request.body.len = size;
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_OK, error);
  CHECK_INT(zerohop_response_status(response), 200);
  CHECK_CONTAINS(zerohop_response_body(response).data, "\"b64_json\":\"iVBORw0KGgo");
  zerohop_response_free(response);
}

static void what_cannot_be_made_is_an_error(void) {
  static const char *const bodies[][2] = {
      {IMAGE("\"response_format\":\"url\""), "\"param\":\"response_format\""},
      {IMAGE("\"n\":11"), "\"param\":\"n\""},
      {IMAGE("\"output_compression\":50"), "\"param\":\"output_compression\""},
      {"{\"model\":\"chat\",\"prompt\":\"a\"}", "makes no images"},
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    zerohop_response *response = generate(bodies[i][0]);
    CHECK_INT(zerohop_response_status(response), 400);
    CHECK_CONTAINS(zerohop_response_body(response).data, bodies[i][1]);
    zerohop_response_free(response);
  }
}

static void a_token_cancels(void) {
  zerohop_error *error = NULL;
  zerohop_cancel_token *token = zerohop_cancel_token_new();
  zerohop_cancel_token_cancel(token);
  zerohop_request request = check_request("POST", "/v1/images/generations", IMAGE("\"n\":10"));
  request.cancel = token;
  zerohop_response *response = NULL;
  CHECK_STATUS(zerohop_send(engine, &request, &response, &error), ZEROHOP_CANCELLED, error);
  CHECK(response == NULL);
  zerohop_cancel_token_free(token);
}

/* What a chat model answers, which the caller frees. */
static zerohop_response *chat(void) {
  return check_chat(engine, "{\"model\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],"
                            "\"temperature\":0,\"max_tokens\":40}");
}

static const char *content(const zerohop_response *response) {
  const char *place = strstr(zerohop_response_body(response).data, "\"choices\"");
  return place ? place : "";
}

static void *paint(void *unused) {
  (void)unused;
  zerohop_response *response = generate(IMAGE("\"n\":3"));
  CHECK_INT(zerohop_response_status(response), 200);
  zerohop_response_free(response);
  return NULL;
}

static void chat_answers_the_same_meanwhile(void) {
  zerohop_response *before = chat();
  CHECK_INT(zerohop_response_status(before), 200);
  pthread_t painter;
  CHECK_INT(pthread_create(&painter, NULL, paint, NULL), 0);
  zerohop_response *meanwhile = chat();
  CHECK_STR(content(meanwhile), content(before));
  pthread_join(painter, NULL);
  zerohop_response_free(meanwhile);
  zerohop_response_free(before);
}

int main(void) {
  zerohop_model_options models[2] = {
      check_model_options("sd", check_model(CHECKPOINT)),
      check_model_options("chat", check_model(TINY)),
  };
  zerohop_error *error = NULL;
  if (check_engine_new(models, 2, &engine, &error) != ZEROHOP_OK)
    check_fatal(CHECKPOINT, zerohop_error_message(error));
  RUN(two_images_are_made);
  RUN(a_stream_ends_with_the_image);
  RUN(an_image_is_edited);
  RUN(what_cannot_be_made_is_an_error);
  RUN(a_token_cancels);
  RUN(chat_answers_the_same_meanwhile);
  zerohop_engine_free(engine);
  return check_finish();
}
