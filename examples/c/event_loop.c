/*
 * Two answers in an event loop, here poll over an eventfd: event_loop MODEL.gguf
 *
 * The callbacks run on a thread of the engine. They only put what they are given where the loop finds it, and
 * wake the loop.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "example.h"

enum { QUESTIONS = 2 };

typedef struct {
  const char *question;
  /* What the loop has not seen yet. Behind the lock. */
  char text[4096];
  size_t length;
  bool done;
  zerohop_status status;
} conversation;

static conversation conversations[QUESTIONS] = {
    {.question = "What is the capital of France? Answer in one sentence."},
    {.question = "What is the capital of Italy? Answer in one sentence."},
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int wakeup;

static void wake_loop(void) {
  const uint64_t one = 1;
  if (write(wakeup, &one, sizeof one) < 0) perror("eventfd");
}

static bool on_event(void *user_data, zerohop_response *response, zerohop_str event) {
  (void)event;
  conversation *self = (conversation *)user_data;
  zerohop_str text = zerohop_response_text(response);
  pthread_mutex_lock(&lock);
  bool fits = text.len <= sizeof self->text - self->length;
  if (fits && text.len > 0) {
    memcpy(self->text + self->length, text.data, text.len);
    self->length += text.len;
  }
  pthread_mutex_unlock(&lock);
  wake_loop();
  return fits;
}

static void on_done(void *user_data, zerohop_status status, zerohop_response *response, zerohop_error *error) {
  conversation *self = (conversation *)user_data;
  pthread_mutex_lock(&lock);
  self->done = true;
  self->status = status;
  pthread_mutex_unlock(&lock);
  zerohop_response_free(response);
  zerohop_error_free(error);
  wake_loop();
}

static void ask(const zerohop_engine *engine, conversation *self) {
  char body[512];
  snprintf(body, sizeof body,
           "{\"model\": \"chat\", \"stream\": true, \"temperature\": 0, \"max_completion_tokens\": 50, "
           "\"messages\": [{\"role\": \"user\", \"content\": \"%s\"}]}",
           self->question);
  zerohop_request request = chat_request(body);
  zerohop_callbacks callbacks;
  zerohop_callbacks_init(&callbacks, sizeof callbacks);
  callbacks.user_data = self;
  callbacks.on_event = on_event;
  callbacks.on_done = on_done;
  zerohop_error *error = NULL;
  zerohop_status status = zerohop_submit(engine, &request, &callbacks, &error);
  if (status != ZEROHOP_OK) fail(status, error);
}

/* Prints what has come; the number of conversations that go on. */
static int look(void) {
  int running = 0;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < QUESTIONS; i++) {
    conversation *self = &conversations[i];
    if (self->length > 0) printf("%d: %.*s\n", i, (int)self->length, self->text);
    self->length = 0;
    running += !self->done;
  }
  pthread_mutex_unlock(&lock);
  return running;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  wakeup = eventfd(0, EFD_CLOEXEC);
  if (wakeup < 0) return 1;
  zerohop_engine *engine = load(argv[1]);
  for (int i = 0; i < QUESTIONS; i++) ask(engine, &conversations[i]);

  /* A program's own descriptors would be here too. */
  struct pollfd descriptors[1] = {{wakeup, POLLIN, 0}};
  do {
    uint64_t count;
    if (poll(descriptors, 1, -1) < 0 && errno != EINTR) return 1;
    if (descriptors[0].revents && read(wakeup, &count, sizeof count) < 0) return 1;
  } while (look() > 0);

  for (int i = 0; i < QUESTIONS; i++) printf("%d ended with %s\n", i, zerohop_status_name(conversations[i].status));
  zerohop_engine_free(engine);
  close(wakeup);
  return 0;
}
