/*
 * A program with a llama.cpp of its own beside libzerohop: side_by_side MODEL.gguf. Both load the model and
 * answer, by turns, and neither gets in the way of the other.
 */
#include <llama.h>

#include "check.h"

static const char *path;

/* The next token after a few, from the host's own llama.cpp. */
static llama_token ask_llama(struct llama_model *model) {
  struct llama_context_params params = llama_context_default_params();
  params.n_ctx = 256;
  params.n_threads = params.n_threads_batch = 1;
  struct llama_context *context = llama_init_from_model(model, params);
  if (context == NULL) check_fatal("the host's llama.cpp", "makes no context");
  const struct llama_vocab *vocab = llama_model_get_vocab(model);
  llama_token tokens[32];
  int count = llama_tokenize(vocab, "Hello there", 11, tokens, 32, true, false);
  CHECK(count > 0);
  CHECK_INT(llama_decode(context, llama_batch_get_one(tokens, count)), 0);
  const float *logits = llama_get_logits_ith(context, -1);
  llama_token best = 0;
  for (llama_token token = 1; token < llama_vocab_n_tokens(vocab); token++) {
    if (logits[token] > logits[best]) best = token;
  }
  llama_free(context);
  return best;
}

static void ask_zerohop(const zerohop_engine *engine, char *text, size_t size) {
  zerohop_response *response = check_chat(engine, CHAT("\"max_tokens\":8"));
  CHECK_INT(zerohop_response_status(response), 200);
  snprintf(text, size, "%s", zerohop_response_text(response).data);
  CHECK(text[0] != '\0');
  zerohop_response_free(response);
}

static void both_generate(void) {
  struct llama_model_params params = llama_model_default_params();
  struct llama_model *model = llama_model_load_from_file(path, params);
  if (model == NULL) check_fatal("the host's llama.cpp", "loads no model");
  llama_token alone = ask_llama(model);

  zerohop_engine *engine = check_engine(TINY);
  char first[256], again[256];
  ask_zerohop(engine, first, sizeof first);
  CHECK_INT(ask_llama(model), alone);
  ask_zerohop(engine, again, sizeof again);
  CHECK_STR(again, first);

  /* Either may go first. */
  llama_model_free(model);
  ask_zerohop(engine, again, sizeof again);
  CHECK_STR(again, first);
  zerohop_engine_free(engine);
  model = llama_model_load_from_file(path, params);
  CHECK(model != NULL);
  CHECK_INT(ask_llama(model), alone);
  llama_model_free(model);
}

static int host_lines;

static void hear(enum ggml_log_level level, const char *text, void *user_data) {
  (void)level, (void)text, (void)user_data;
  host_lines++;
}

/* The host's logger gets what the host's llama.cpp says, and nothing of ours. */
static void logs_stay_apart(void) {
  llama_log_set(hear, NULL);
  zerohop_engine_free(check_engine(TINY));
  CHECK_INT(host_lines, 0);
  llama_model_free(llama_model_load_from_file(path, llama_model_default_params()));
  CHECK(host_lines > 0);
}

int main(void) {
  path = check_model(TINY);
  llama_backend_init();
  RUN(both_generate);
  RUN(logs_stay_apart);
  llama_backend_free();
  return check_finish();
}
