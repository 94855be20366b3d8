/* Vectors of texts, into memory of the caller's. */
#include <math.h>
#include <pthread.h>

#include "check.h"

/* Random weights: the vectors mean nothing, and are there at once. */
#define TINY_EMBEDDING "tiny/tiny-embedding-mean.gguf"

enum { WIDTH = 64, COUNT = 3 };

static zerohop_engine *engine;

static zerohop_str texts[COUNT];

static zerohop_embedding_request make_request(void) {
  texts[0] = zerohop_str_of("a cat");
  texts[1] = zerohop_str_of("a dog, and more of them");
  texts[2] = zerohop_str_of("a cat");
  zerohop_embedding_request request;
  zerohop_embedding_request_init(&request, sizeof request);
  request.model = zerohop_str_of("m");
  request.texts = texts;
  request.text_count = COUNT;
  return request;
}

static zerohop_status embed(const zerohop_embedding_request *request, float *out, size_t capacity,
                            zerohop_error **error) {
  return zerohop_embeddings(engine, request, out, capacity, error);
}

static double dot(const float *a, const float *b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static void vectors_are_written_one_after_another(void) {
  zerohop_error *error = NULL;
  size_t dimensions = 0;
  CHECK_STATUS(zerohop_embedding_dimensions(engine, "m", 1, &dimensions, &error), ZEROHOP_OK, error);
  CHECK_INT(dimensions, WIDTH);
  /* Exactly as large as is needed, so that the sanitizer sees a write beyond. */
  float *out = (float *)malloc(COUNT * WIDTH * sizeof *out);
  zerohop_embedding_request request = make_request();
  CHECK_STATUS(embed(&request, out, COUNT * WIDTH, &error), ZEROHOP_OK, error);
  for (int i = 0; i < COUNT; i++) CHECK(fabs(dot(out + i * WIDTH, out + i * WIDTH, WIDTH) - 1) < 1e-3);
  CHECK(memcmp(out, out + 2 * WIDTH, WIDTH * sizeof *out) == 0);
  CHECK(memcmp(out, out + WIDTH, WIDTH * sizeof *out) != 0);
  free(out);
}

static void dimensions_are_cut_and_what_is_beyond_stays(void) {
  zerohop_error *error = NULL;
  zerohop_embedding_request request = make_request();
  float whole[COUNT * WIDTH], cut[COUNT * 5 + 2];
  CHECK_STATUS(embed(&request, whole, COUNT * WIDTH, &error), ZEROHOP_OK, error);
  request.dimensions = 5;
  cut[COUNT * 5] = cut[COUNT * 5 + 1] = 7;
  CHECK_STATUS(embed(&request, cut, COUNT * 5 + 2, &error), ZEROHOP_OK, error);
  CHECK(cut[COUNT * 5] == 7 && cut[COUNT * 5 + 1] == 7);
  /* The same direction, and of length 1. */
  double square = dot(whole + WIDTH, whole + WIDTH, 5), product = dot(cut + 5, whole + WIDTH, 5);
  CHECK(product > 0 && fabs(product * product - square) < 1e-5);
}

static void faults_are_named(void) {
  zerohop_error *error = NULL;
  float out[COUNT * WIDTH];
  zerohop_embedding_request request = make_request();
  CHECK_INT(embed(&request, out, COUNT * WIDTH - 1, &error), ZEROHOP_INVALID_ARGUMENT);
  CHECK_STR(zerohop_error_param(error), "out");
  CHECK_CONTAINS(zerohop_error_message(error), "192");
  zerohop_error_free(error);
  error = NULL;
  CHECK_STATUS(embed(&request, NULL, COUNT * WIDTH, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(embed(&request, NULL, 0, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(embed(&request, (float *)(void *)((char *)out + 1), COUNT, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(embed(&request, out, SIZE_MAX, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(embed(NULL, out, COUNT * WIDTH, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_embeddings(NULL, &request, out, COUNT * WIDTH, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_INT(embed(&request, out, 1, NULL), ZEROHOP_INVALID_ARGUMENT);

  texts[1] = zerohop_str_of("");
  CHECK_INT(embed(&request, out, COUNT * WIDTH, &error), ZEROHOP_INVALID_REQUEST);
  CHECK_STR(zerohop_error_param(error), "input[1]");
  CHECK_INT(zerohop_error_http_status(error), 400);
  zerohop_error_free(error);
  error = NULL;
  texts[1] = zerohop_str_of("\xff");
  CHECK_STATUS(embed(&request, out, COUNT * WIDTH, &error), ZEROHOP_INVALID_ARGUMENT, error);
  request = make_request();
  request.text_count = 0;
  CHECK_STATUS(embed(&request, out, COUNT * WIDTH, &error), ZEROHOP_INVALID_REQUEST, error);
  request = make_request();
  request.dimensions = WIDTH + 1;
  CHECK_STATUS(embed(&request, out, COUNT * WIDTH, &error), ZEROHOP_INVALID_REQUEST, error);
  request = make_request();
  request.model = zerohop_str_of("none");
  CHECK_STATUS(embed(&request, out, COUNT * WIDTH, &error), ZEROHOP_NOT_FOUND, error);
  request = make_request();
  request.struct_size = 8;
  CHECK_STATUS(embed(&request, out, COUNT * WIDTH, &error), ZEROHOP_INVALID_ARGUMENT, error);

  size_t dimensions = 9;
  CHECK_STATUS(zerohop_embedding_dimensions(engine, "none", 4, &dimensions, &error), ZEROHOP_NOT_FOUND, error);
  CHECK_STATUS(zerohop_embedding_dimensions(engine, "m", 1, NULL, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_embedding_dimensions(NULL, "m", 1, &dimensions, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_INT(dimensions, 9);
}

static void a_chat_model_makes_no_vectors(void) {
  zerohop_engine *chat = check_engine(TINY);
  zerohop_error *error = NULL;
  zerohop_embedding_request request = make_request();
  float out[COUNT * WIDTH];
  size_t dimensions;
  CHECK_STATUS(zerohop_embeddings(chat, &request, out, COUNT * WIDTH, &error), ZEROHOP_INVALID_REQUEST, error);
  CHECK_STATUS(zerohop_embedding_dimensions(chat, "m", 1, &dimensions, &error), ZEROHOP_INVALID_REQUEST, error);
  zerohop_engine_free(chat);
}

enum { THREADS = 8, ROUNDS = 5 };

static float expected[COUNT * WIDTH];

static void *embed_again(void *argument) {
  zerohop_embedding_request request;
  zerohop_embedding_request_init(&request, sizeof request);
  request.model = zerohop_str_of("m");
  size_t index = (size_t)argument % COUNT;
  request.texts = &texts[index];
  request.text_count = 1;
  for (int round = 0; round < ROUNDS; round++) {
    float out[WIDTH];
    zerohop_error *error = NULL;
    CHECK_STATUS(embed(&request, out, WIDTH, &error), ZEROHOP_OK, error);
    CHECK(dot(out, expected + index * WIDTH, WIDTH) > 0.9999);
  }
  return NULL;
}

static void threads_share_an_engine(void) {
  zerohop_error *error = NULL;
  zerohop_embedding_request request = make_request();
  CHECK_STATUS(embed(&request, expected, COUNT * WIDTH, &error), ZEROHOP_OK, error);
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, embed_again, (void *)i) != 0) check_fatal("pthread_create", "failed");
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void a_closed_engine_makes_no_vectors(void) {
  zerohop_engine_close(engine);
  zerohop_error *error = NULL;
  zerohop_embedding_request request = make_request();
  float out[COUNT * WIDTH];
  CHECK_STATUS(embed(&request, out, COUNT * WIDTH, &error), ZEROHOP_CLOSED, error);
  zerohop_engine_free(engine);
}

int main(void) {
  engine = check_engine(TINY_EMBEDDING);
  RUN(vectors_are_written_one_after_another);
  RUN(dimensions_are_cut_and_what_is_beyond_stays);
  RUN(faults_are_named);
  RUN(a_chat_model_makes_no_vectors);
  RUN(threads_share_an_engine);
  RUN(a_closed_engine_makes_no_vectors);
  return check_finish();
}
