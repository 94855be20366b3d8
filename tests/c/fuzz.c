/*
 * Random requests and orders of calls, on a tiny model: fuzz SECONDS SEED
 *
 * Three threads share an engine, and each has responses, tokens and running submissions of its own, which it
 * uses in any order that the header allows. What must hold whatever comes in is checked: a status that the header
 * names, an error with every failure and only then, a body behind every refusal, one completion for every
 * submission. A call that takes longer than HANG_SECONDS ends the program. What a seed found becomes a test in
 * the file that the topic has.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* A short context, so that no answer is long. */
enum { THREADS = 3, RESPONSES = 6, TOKENS = 3, BODY = 4096, CONTEXT = 800, HANG_SECONDS = 60 };

typedef struct {
  uint64_t random;
  int number;
  zerohop_response *responses[RESPONSES];
  zerohop_cancel_token *tokens[TOKENS];
  long steps;
} worker;

static zerohop_engine *engine;
static pthread_rwlock_t engine_lock = PTHREAD_RWLOCK_INITIALIZER;
static time_t end_time;
static long begun, completed;
/* When each worker's call began, for the watchdog; 0 outside of calls. */
static volatile long call_began[THREADS];
static const char *volatile call_name[THREADS];
static char last_body[THREADS][BODY];

static uint64_t next_random(worker *self) {
  self->random ^= self->random << 13;
  self->random ^= self->random >> 7;
  self->random ^= self->random << 17;
  return self->random * 0x2545f4914f6cdd1dULL;
}

static size_t below(worker *self, size_t limit) {
  return (size_t)(next_random(self) >> 33) % limit;
}

static bool chance(worker *self, size_t one_in) {
  return below(self, one_in) == 0;
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long)time.tv_sec;
}

#define CALL(name, statement)          \
  do {                                 \
    call_name[self->number] = (name);  \
    call_began[self->number] = now(); \
    statement;                         \
    call_began[self->number] = 0;      \
  } while (0)

/* Requests to begin with: what the API can do, each short. */
static const char *const SEEDS[] = {
    CHAT("\"max_tokens\":3"),
    CHAT_STREAM("\"max_tokens\":8"),
    CHAT_STREAM("\"max_tokens\":4,\"stream_options\":{\"include_usage\":true},\"n\":2"),
    CHAT("\"max_tokens\":4,\"logprobs\":true,\"top_logprobs\":3,\"stop\":[\"a\",\"bc\"]"),
    CHAT("\"max_tokens\":12,\"response_format\":{\"type\":\"json_object\"}"),
    CHAT("\"max_tokens\":16,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"strict\":true,"
         "\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1},\"b\":{\"enum\":[\"x\",null]}},"
         "\"required\":[\"a\",\"b\"],\"additionalProperties\":false}}}"),
    CHAT_STREAM("\"max_tokens\":16,\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
                "\"parameters\":{\"type\":\"object\",\"properties\":{\"p\":{\"type\":\"string\",\"pattern\":\"^[a-z]{1,4}$\"}}}}}]"),
    CHAT("\"max_tokens\":8,\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"g\",\"format\":{\"type\":\"grammar\","
         "\"grammar\":{\"syntax\":\"regex\",\"definition\":\"[0-9]+\"}}}}],\"tool_choice\":\"auto\""),
    CHAT("\"max_tokens\":8,\"grammar\":{\"type\":\"lark\",\"definition\":\"start: \\\"a\\\"+\"}"),
    CHAT("\"max_tokens\":6,\"prediction\":{\"type\":\"content\",\"content\":\"Hello there\"},\"temperature\":0.5,\"seed\":4"),
    CHAT("\"max_tokens\":2,\"logit_bias\":{\"5\":-100,\"7\":100},\"frequency_penalty\":1.5,\"presence_penalty\":-2"),
    CHAT("\"max_tokens\":2,\"top_p\":0.1,\"top_k\":3,\"min_p\":0,\"repeat_penalty\":1.1,\"user\":\"me\",\"metadata\":{\"a\":\"b\"}"),
    "{\"model\":\"m\",\"max_tokens\":3,\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":"
    "\"text\",\"text\":\"t\"}]},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"i\",\"type\":\"function\","
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"i\",\"content\":\"r\"}]}",
    CHAT("\"max_tokens\":300"),
    CHAT_STREAM("\"max_tokens\":20000,\"ignore_eos\":true"),
    "{}",
};

/* What JSON and the requests are made of, to be put anywhere. */
static const char *const PIECES[] = {
    "null",  "true",     "false",     "0",        "-1",       "1e999",        "1.5",    "18446744073709551616", "\"\"",
    "[]",    "{}",       "[",         "]",        "{",        "}",            ",",      ":",
    "\"",    "\\",       "\\u0000",   "\\ud800",  "\xff",     "\xf0\x9f\x99\x82", "<|im_end|>", "\n", "\"n\":8,",
    "\"max_tokens\":1,", "\"stop\":\"\",", "\"model\":\"none\",", "\"temperature\":3,", "\"stream\":1,",
    "\"stream\":true,",  "\"top_logprobs\":20,", "\"$ref\":\"#\",", "\"type\":\"array\",", "\"anyOf\":[{},{}],",
    "\"pattern\":\"(a|b)*c{2,900}\",", "\"maxLength\":100000,", "\"items\":{\"$ref\":\"#\"},",
    "\"unknown\":1,",    "\"reasoning_effort\":\"none\",", "\"tool_choice\":\"none\",", "[[[[[[[[", "{\"a\":{\"a\":",
};

static const char *const PATHS[] = {"/v1/chat/completions", "/chat/completions", "/v1/models", "/v1/models/m", "/v1/models/%00%ff",
                                    "/", "//", "/v1/embeddings", "/metrics", "/metrics?format=json", "/v1/chat/completions?x=%", "no/slash", "/a b", "/\xc3\xa4", ""};
static const char *const METHODS[] = {"POST", "GET", "DELETE", "get", "", "P OST", "\x01", "PATCH"};

/* A request's body: a seed with some changes. Returns its length. */
static size_t make_body(worker *self, char *body) {
  size_t length = (size_t)snprintf(body, BODY, "%s", SEEDS[below(self, sizeof SEEDS / sizeof *SEEDS)]);
  size_t changes = chance(self, 3) ? 0 : 1 + below(self, 3);
  for (size_t change = 0; change < changes; change++) {
    size_t at = below(self, length + 1);
    const char *piece = PIECES[below(self, sizeof PIECES / sizeof *PIECES)];
    size_t piece_length = strlen(piece);
    switch (below(self, 5)) {
      case 0: /* A piece, before or in place of a value. */
      case 1: {
        const char *colon = (const char *)memchr(body + at, below(self, 2) ? ':' : ',', length - at);
        if (colon != NULL) at = (size_t)(colon - body) + 1;
        size_t skipped = 0;
        if (chance(self, 2)) {
          while (at + skipped < length && !strchr(",}]", body[at + skipped])) skipped++;
        }
        if (length + piece_length >= BODY) break;
        memmove(body + at + piece_length, body + at + skipped, length - at - skipped);
        memcpy(body + at, piece, piece_length);
        length = length + piece_length - skipped;
        break;
      }
      case 2: /* Bytes away. */
        if (length > 0) {
          size_t gone = 1 + below(self, chance(self, 2) ? 2 : 30);
          if (at + gone > length) gone = length - at;
          memmove(body + at, body + at + gone, length - at - gone);
          length -= gone;
        }
        break;
      case 3: /* Another byte. */
        if (at < length) body[at] = (char)next_random(self);
        break;
      default: { /* A part again. */
        size_t part = below(self, 60);
        if (at + part > length) part = length - at;
        if (length + part >= BODY) break;
        memmove(body + at + part, body + at, length - at);
        length += part;
      }
    }
  }
  memcpy(last_body[self->number], body, length);
  last_body[self->number][length < BODY ? length : BODY - 1] = '\0';
  return length;
}

static void check_outcome(worker *self, zerohop_status status, zerohop_error *error) {
  CHECK(strcmp(zerohop_status_name(status), "unknown") != 0);
  CHECK(status != ZEROHOP_PANIC && status != ZEROHOP_INTERNAL);
  CHECK((status < ZEROHOP_OK) == (error != NULL));
  if (error != NULL) {
    CHECK_INT(zerohop_error_status(error), status);
    CHECK(zerohop_error_message(error)[0] != '\0' && zerohop_error_type(error)[0] != '\0');
  }
  if (status == ZEROHOP_PANIC || status == ZEROHOP_INTERNAL)
    printf("worker %d: %s: %s\n", self->number, zerohop_error_message(error), last_body[self->number]);
  zerohop_error_free(error);
}

static void check_response(zerohop_response *response, const char *body) {
  int status = zerohop_response_status(response);
  CHECK(status == 200 || (status >= 400 && status <= 429) || status == 503);
  zerohop_str text = zerohop_response_body(response);
  if (zerohop_response_is_stream(response)) {
    CHECK(status == 200 && text.data == NULL);
  } else {
    CHECK(text.len > 0 && text.data[text.len] == '\0' && strlen(text.data) == text.len);
    if (status >= 400) CHECK_CONTAINS(text.data, "\"error\"");
  }
  if (status == 500) printf("500: %s: %s\n", text.data, body);
  CHECK(zerohop_response_header(response, "x-request-id", 12) != NULL);
}

/* Fills a request; `body` and `headers` must stay for the call. */
static zerohop_request make_request(worker *self, char *body, zerohop_header *headers) {
  zerohop_request request = check_request("POST", "/v1/chat/completions", NULL);
  request.body.data = body;
  request.body.len = make_body(self, body);
  if (chance(self, 12)) request.path = zerohop_str_of(PATHS[below(self, sizeof PATHS / sizeof *PATHS)]);
  if (chance(self, 12)) request.method = zerohop_str_of(METHODS[below(self, sizeof METHODS / sizeof *METHODS)]);
  if (chance(self, 12)) {
    headers[0].name = zerohop_str_of(METHODS[below(self, sizeof METHODS / sizeof *METHODS)]);
    headers[0].value = zerohop_str_of(PIECES[below(self, sizeof PIECES / sizeof *PIECES)]);
    request.headers = headers;
    request.header_count = 1;
  } else if (chance(self, 4)) {
    headers[0].name = zerohop_str_of(chance(self, 2) ? "authorization" : "x-request-timeout");
    headers[0].value = zerohop_str_of(chance(self, 2) ? "Bearer k" : "0.02");
    request.headers = headers;
    request.header_count = 1;
  }
  if (chance(self, 40)) request.struct_size = below(self, 6) * 40;
  if (chance(self, 40)) request.body.data = NULL;
  if (chance(self, 40)) request.content_type = zerohop_str_of("\n");
  if (chance(self, 3)) request.cancel = self->tokens[below(self, TOKENS)];
  return request;
}

typedef struct {
  int events_left;
  int done;
  char body[BODY];
} submission;

static bool on_event(void *user_data, zerohop_response *response, zerohop_str event) {
  submission *self = (submission *)user_data;
  CHECK_INT(self->done, 0);
  CHECK(event.data[event.len] == '\0' && event.data[0] == '{');
  zerohop_response_text(response);
  return self->events_left-- > 0;
}

static void on_done(void *user_data, zerohop_status status, zerohop_response *response, zerohop_error *error) {
  submission *self = (submission *)user_data;
  CHECK_INT(self->done++, 0);
  CHECK((status < ZEROHOP_OK) == (error != NULL));
  CHECK(status == ZEROHOP_OK || status == ZEROHOP_CANCELLED || status == ZEROHOP_CLOSED);
  if (status == ZEROHOP_OK) CHECK(response != NULL);
  if (response != NULL) check_response(response, self->body);
  zerohop_response_free(response);
  zerohop_error_free(error);
  free(self);
  __atomic_fetch_add(&completed, 1, __ATOMIC_SEQ_CST);
}

static void submit(worker *self) {
  char body[BODY + 64];
  zerohop_header headers[1];
  zerohop_request request = make_request(self, body, headers);
  submission *submitted = (submission *)calloc(1, sizeof *submitted);
  if (submitted == NULL) check_fatal("calloc", "failed");
  submitted->events_left = (int)below(self, 40);
  memcpy(submitted->body, last_body[self->number], BODY);
  zerohop_callbacks callbacks;
  zerohop_callbacks_init(&callbacks, sizeof callbacks);
  callbacks.user_data = submitted;
  callbacks.on_event = chance(self, 4) ? NULL : on_event;
  callbacks.on_done = chance(self, 40) ? NULL : on_done;
  if (chance(self, 40)) callbacks.struct_size = below(self, 100);
  /* Counted before: it may complete at once. */
  __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
  zerohop_error *error = NULL;
  zerohop_status status;
  CALL("zerohop_submit", status = zerohop_submit(chance(self, 60) ? NULL : engine, &request, &callbacks, &error));
  if (status != ZEROHOP_OK) {
    __atomic_fetch_sub(&begun, 1, __ATOMIC_SEQ_CST);
    free(submitted);
  }
  check_outcome(self, status, error);
}

static void send_one(worker *self) {
  char body[BODY + 64];
  zerohop_header headers[1];
  zerohop_request request = make_request(self, body, headers);
  size_t slot = below(self, RESPONSES);
  zerohop_response_free(self->responses[slot]);
  self->responses[slot] = NULL;
  zerohop_error *error = NULL;
  zerohop_status status;
  zerohop_response **out = chance(self, 60) ? NULL : &self->responses[slot];
  CALL("zerohop_send", status = zerohop_send(chance(self, 60) ? NULL : engine, chance(self, 60) ? NULL : &request, out, &error));
  CHECK((status == ZEROHOP_OK) == (self->responses[slot] != NULL));
  check_outcome(self, status, error);
  if (status == ZEROHOP_OK) check_response(self->responses[slot], last_body[self->number]);
}

static void use_response(worker *self) {
  size_t slot = below(self, RESPONSES);
  zerohop_response *response = self->responses[slot];
  zerohop_error *error = NULL;
  zerohop_str event = {NULL, 0};
  zerohop_status status = ZEROHOP_OK;
  switch (below(self, 8)) {
    case 0:
    case 1:
      CALL("zerohop_response_next", status = zerohop_response_next(response, chance(self, 40) ? NULL : &event, &error));
      break;
    case 2:
    case 3:
      CALL("zerohop_response_next_timeout",
           status = zerohop_response_next_timeout(response, chance(self, 2) ? 0 : below(self, 20), &event, &error));
      break;
    case 4:
      zerohop_response_text(response);
      zerohop_response_header_at(response, below(self, 5));
      break;
    case 5:
      zerohop_response_cancel(response);
      break;
    case 6:
      zerohop_response_free(response);
      self->responses[slot] = NULL;
      break;
    default: /* To the end, or for a while. */
      for (int i = 0; i < 30 && status == ZEROHOP_OK; i++) {
        CALL("zerohop_response_next", status = zerohop_response_next(response, &event, &error));
        if (status == ZEROHOP_OK) CHECK(event.data[event.len] == '\0' && event.data[0] == '{');
      }
  }
  check_outcome(self, status, error);
}

/* Vectors that there are none of: the engine chats. */
static void embed(worker *self) {
  zerohop_str texts[3];
  for (size_t i = 0; i < 3; i++) texts[i] = zerohop_str_of(PIECES[below(self, sizeof PIECES / sizeof *PIECES)]);
  zerohop_embedding_request request;
  zerohop_embedding_request_init(&request, sizeof request);
  request.model = chance(self, 2) ? zerohop_str_of("m") : texts[0];
  request.texts = chance(self, 8) ? NULL : texts;
  request.text_count = below(self, 4);
  if (chance(self, 4)) request.dimensions = (uint32_t)below(self, 9);
  if (chance(self, 8)) request.struct_size = below(self, sizeof request + 1);
  float out[8];
  zerohop_error *error = NULL;
  zerohop_status status;
  CALL("zerohop_embeddings", status = zerohop_embeddings(engine, &request, chance(self, 8) ? NULL : out, below(self, 9), &error));
  CHECK(status < ZEROHOP_OK);
  check_outcome(self, status, error);
}

static void use_token(worker *self) {
  zerohop_cancel_token **token = &self->tokens[below(self, TOKENS)];
  switch (below(self, 4)) {
    case 0:
      zerohop_cancel_token_cancel(*token);
      CHECK(*token == NULL || zerohop_cancel_token_is_cancelled(*token));
      break;
    case 1: {
      zerohop_cancel_token *clone = zerohop_cancel_token_clone(*token);
      CHECK((clone == NULL) == (*token == NULL));
      zerohop_cancel_token_free(clone);
      break;
    }
    default:
      zerohop_cancel_token_free(*token);
      *token = chance(self, 4) ? NULL : zerohop_cancel_token_new();
  }
}

/* Loads the tiny model with any options. */
static void load(worker *self) {
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  /* Memory for thousands of millions of tokens is refused too, but only after seconds. */
  if (chance(self, 2)) model.context_length = chance(self, 4) ? UINT32_MAX - (uint32_t)below(self, 9) : (uint32_t)below(self, 3000);
  if (chance(self, 4)) model.parallel = (uint32_t)below(self, 300);
  if (chance(self, 4)) model.queue = (uint32_t)below(self, 3);
  if (chance(self, 8)) model.threads = (uint32_t)below(self, 4);
  if (chance(self, 8)) model.kv_type = (zerohop_kv_type)below(self, 6) - 1;
  if (chance(self, 8)) model.gpu_layers = (int32_t)below(self, 5) - 2;
  if (chance(self, 8)) model.chat_template = zerohop_str_of(PIECES[below(self, sizeof PIECES / sizeof *PIECES)]);
  if (chance(self, 8)) model.path = zerohop_str_of(PIECES[below(self, sizeof PIECES / sizeof *PIECES)]);
  if (chance(self, 8)) model.struct_size = below(self, 200);
  zerohop_engine *other = NULL;
  zerohop_error *error = NULL;
  zerohop_status status;
  CALL("zerohop_engine_new", status = check_engine_new(&model, chance(self, 20) ? 0 : 1, &other, &error));
  CHECK((status == ZEROHOP_OK) == (other != NULL));
  check_outcome(self, status, error);
  if (other == NULL) return;
  zerohop_response *response = NULL;
  zerohop_request request = check_request("POST", "/v1/chat/completions", chance(self, 2) ? CHAT_STREAM("\"max_tokens\":9") : CHAT("\"max_tokens\":3"));
  CALL("zerohop_send", status = zerohop_send(other, &request, &response, &error));
  check_outcome(self, status, error);
  if (chance(self, 2)) zerohop_engine_close(other);
  CALL("zerohop_engine_free", zerohop_engine_free(other));
  zerohop_response_free(response);
}

/* Another engine for everybody: what runs on this one ends. */
static void replace_engine(worker *self) {
  zerohop_error *refused = NULL;
  zerohop_status drained;
  switch (below(self, 3)) {
    case 0:
      CALL("zerohop_engine_close", zerohop_engine_close(engine));
      break;
    case 1:
      CALL("zerohop_engine_drain", drained = zerohop_engine_drain(chance(self, 9) ? NULL : engine, below(self, 50), &refused));
      check_outcome(self, drained, refused);
      break;
    default:
      break;
  }
  pthread_rwlock_unlock(&engine_lock);
  pthread_rwlock_wrlock(&engine_lock);
  CALL("zerohop_engine_free", zerohop_engine_free(engine));
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = CONTEXT;
  model.parallel = 1 + (uint32_t)below(self, 6);
  model.queue = 1 + (uint32_t)below(self, 20);
  const zerohop_str key = zerohop_str_of("k");
  zerohop_engine_options options;
  zerohop_engine_options_init(&options, sizeof options);
  options.models = &model;
  options.model_count = 1;
  options.api_keys = &key;
  options.api_key_count = chance(self, 4);
  options.requests_per_minute = chance(self, 4) ? (uint32_t)below(self, 2000) : 0;
  options.tokens_per_minute = chance(self, 4) ? (uint32_t)below(self, 20000) : 0;
  options.timeout_ms = chance(self, 4) ? below(self, 100) : 0;
  engine = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_engine_new(&options, &engine, &error), ZEROHOP_OK, error);
  if (engine == NULL) check_fatal("an engine", "could not be made");
  pthread_rwlock_unlock(&engine_lock);
  pthread_rwlock_rdlock(&engine_lock);
}

static void *work(void *argument) {
  worker *self = (worker *)argument;
  pthread_rwlock_rdlock(&engine_lock);
  while (time(NULL) < end_time) {
    self->steps++;
    size_t step = below(self, 1000);
    if (step < 280) {
      send_one(self);
    } else if (step < 300) {
      embed(self);
    } else if (step < 500) {
      submit(self);
    } else if (step < 900) {
      use_response(self);
    } else if (step < 985) {
      use_token(self);
    } else if (step < 997) {
      load(self);
    } else {
      replace_engine(self);
    }
  }
  pthread_rwlock_unlock(&engine_lock);
  for (int i = 0; i < RESPONSES; i++) zerohop_response_free(self->responses[i]);
  for (int i = 0; i < TOKENS; i++) zerohop_cancel_token_free(self->tokens[i]);
  return NULL;
}

static void *watch(void *argument) {
  (void)argument;
  for (;;) {
    sleep(1);
    for (int i = 0; i < THREADS; i++) {
      long since = call_began[i];
      if (since == 0 || now() - since < HANG_SECONDS) continue;
      printf("worker %d hangs in %s; its last body: %s\n", i, call_name[i], last_body[i]);
      fflush(stdout);
      abort();
    }
  }
}

/* What ends the program tells what it was about. */
static void crashed(int signal_number) {
  (void)!write(STDOUT_FILENO, "crashed; the last bodies:\n", 26);
  for (int i = 0; i < THREADS; i++) {
    (void)!write(STDOUT_FILENO, last_body[i], strlen(last_body[i]));
    (void)!write(STDOUT_FILENO, "\n", 1);
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

static uint64_t seed;

static void anything_goes(void) {
  worker workers[THREADS];
  memset(workers, 0, sizeof workers);
  pthread_t threads[THREADS], watchdog;
  for (int i = 0; i < THREADS; i++) {
    workers[i].number = i;
    workers[i].random = seed * THREADS + (uint64_t)i + 0x9e3779b97f4a7c15ULL;
    for (int j = 0; j < TOKENS; j++) workers[i].tokens[j] = zerohop_cancel_token_new();
    if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) check_fatal("a thread", "does not start");
  }
  if (pthread_create(&watchdog, NULL, watch, NULL) != 0) check_fatal("a thread", "does not start");
  pthread_detach(watchdog);
  long steps = 0;
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    steps += workers[i].steps;
  }
  zerohop_engine_free(engine);
  CHECK_INT(completed, begun);
  CHECK(steps > 100);
  printf("seed %llu: %ld steps, %ld submissions\n", (unsigned long long)seed, steps, begun);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  end_time = time(NULL) + atol(argv[1]);
  seed = strtoull(argv[2], NULL, 10);
  signal(SIGSEGV, crashed);
  signal(SIGABRT, crashed);
  zerohop_model_options model = check_model_options("m", check_model(TINY));
  model.context_length = CONTEXT;
  zerohop_error *error = NULL;
  if (check_engine_new(&model, 1, &engine, &error) != ZEROHOP_OK) check_fatal("an engine", zerohop_error_message(error));
  RUN(anything_goes);
  return check_finish();
}
