/* Finds the sentence that is nearest in meaning: search EMBEDDING_MODEL.gguf [QUESTION] */
#include "example.h"

static const char *const SENTENCES[] = {
    "The cat sleeps on the sofa.",
    "Water boils at 100 degrees Celsius.",
    "Paris is the capital of France.",
    "Share prices fell sharply today.",
};

enum { COUNT = sizeof SENTENCES / sizeof *SENTENCES };

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  zerohop_engine *engine = load(argv[1]);
  zerohop_error *error = NULL;
  size_t dimensions;
  zerohop_status status = zerohop_embedding_dimensions(engine, "chat", strlen("chat"), &dimensions, &error);
  if (status != ZEROHOP_OK) fail(status, error);

  /* The sentences and the question in one call, into memory of ours. */
  zerohop_str texts[COUNT + 1];
  for (size_t i = 0; i < COUNT; i++) texts[i] = zerohop_str_of(SENTENCES[i]);
  texts[COUNT] = zerohop_str_of(argc > 2 ? argv[2] : "Where does the pet rest?");
  zerohop_embedding_request request;
  zerohop_embedding_request_init(&request, sizeof request);
  request.model = zerohop_str_of("chat");
  request.texts = texts;
  request.text_count = COUNT + 1;
  size_t capacity = (COUNT + 1) * dimensions;
  float *vectors = malloc(capacity * sizeof *vectors);
  if (vectors == NULL) return 1;
  status = zerohop_embeddings(engine, &request, vectors, capacity, &error);
  if (status != ZEROHOP_OK) fail(status, error);

  const float *question = vectors + COUNT * dimensions;
  size_t best = 0;
  float best_score = -1;
  for (size_t i = 0; i < COUNT; i++) {
    float score = 0;
    for (size_t j = 0; j < dimensions; j++) score += vectors[i * dimensions + j] * question[j];
    printf("%.3f %s\n", (double)score, SENTENCES[i]);
    if (score > best_score) best = i, best_score = score;
  }
  printf("best: %s\n", SENTENCES[best]);
  free(vectors);
  zerohop_engine_free(engine);
  return 0;
}
