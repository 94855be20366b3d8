/* The library writes nothing to the host's stdout and stderr. */
#include <fcntl.h>
#include <unistd.h>

#include "check.h"

static void use_everything(void) {
  zerohop_engine *engine = check_long_engine();
  zerohop_response_free(check_send(engine, "GET", "/v1/models", NULL));
  zerohop_response_free(check_chat(engine, CHAT("\"max_tokens\":20")));
  zerohop_response_free(check_chat(engine, "{"));
  zerohop_response *stream = check_chat(engine, CHAT_LONG_STREAM);
  zerohop_str event;
  zerohop_response_next(stream, &event, NULL);
  zerohop_response_cancel(stream);
  zerohop_response_free(stream);
  zerohop_engine_free(engine);

  /* Where llama.cpp and its loader have most to say. */
  const char *const files[] = {"tiny/tiny-spm.gguf",        "tiny/tiny-gemma3.gguf",
                               "tiny/tiny-mamba.gguf",      "tiny/tiny-no-template.gguf",
                               "hostile/bad-version.gguf",  "hostile/huge-counts.gguf",
                               "hostile/truncated-tensors.gguf"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    zerohop_model_options model = check_model_options("m", check_model(files[i]));
    zerohop_engine *other = NULL;
    if (check_engine_new(&model, 1, &other, NULL) != ZEROHOP_OK) continue;
    zerohop_response_free(check_chat(other, CHAT("\"max_tokens\":3")));
    zerohop_engine_free(other);
  }
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.chat_template = zerohop_str_of("{% for %}");
  zerohop_engine *other = NULL;
  check_engine_new(&model, 1, &other, NULL);
  zerohop_engine_free(other);
}

/* Runs `body` with a file in a descriptor's place, and gives back what was written. */
static size_t captured(void (*body)(void), int descriptor, char *text, size_t size) {
  char path[] = "/tmp/zerohop-test-XXXXXX";
  int file = mkstemp(path);
  int saved = dup(descriptor);
  if (file < 0 || saved < 0) check_fatal("capturing output", "failed");
  fflush(NULL);
  dup2(file, descriptor);
  body();
  fflush(NULL);
  dup2(saved, descriptor);
  ssize_t length = pread(file, text, size - 1, 0);
  text[length > 0 ? length : 0] = '\0';
  close(saved);
  close(file);
  unlink(path);
  return length > 0 ? (size_t)length : 0;
}

static void say_something(void) {
  fputs("heard", stdout);
}

static void the_test_can_hear(void) {
  char text[64];
  CHECK_INT(captured(say_something, STDOUT_FILENO, text, sizeof text), 5);
  CHECK_STR(text, "heard");
}

static void nothing_goes_to_stdout(void) {
  char text[4096];
  captured(use_everything, STDOUT_FILENO, text, sizeof text);
  CHECK_STR(text, "");
}

static void nothing_goes_to_stderr(void) {
  char text[4096];
  captured(use_everything, STDERR_FILENO, text, sizeof text);
  CHECK_STR(text, "");
}

int main(void) {
  RUN(the_test_can_hear);
  RUN(nothing_goes_to_stdout);
  RUN(nothing_goes_to_stderr);
  return check_finish();
}
