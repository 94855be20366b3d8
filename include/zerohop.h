/*
 * zerohop: runs GGUF models inside your process and answers in the OpenAI API's
 * own shapes.
 *
 * Written by `make header` from the sources in ffi/src; do not edit.
 *
 *
 * Building
 *
 * One header, C11 or C++17, and one library; `make install PREFIX=...` installs both,
 * and zerohop.hpp, which makes C++ of them. Linux, and on x86-64 a processor with
 * AVX2, FMA, F16C and BMI2; on an older one making an engine is an error.
 *
 *   shared:  cc program.c -lzerohop
 *   static:  cc program.c libzerohop.a -lstdc++ -lpthread -ldl -lm
 *
 * pkg-config knows them as zerohop and zerohop-static; CMake, after
 * find_package(zerohop), as zerohop::zerohop and zerohop::zerohop_static.
 *
 * Until version 1.0 the shared library's soname carries its full version: a program
 * runs with the version it was linked with, and no other. Neither library shows more
 * symbols than this header has, so that a program may have llama.cpp or Rust code of
 * its own beside it.
 *
 *
 * A program
 *
 *   #include <stdio.h>
 *   #include <zerohop.h>
 *
 *   static int fail(zerohop_error *error) {
 *     fprintf(stderr, "%s\n", zerohop_error_message(error));
 *     zerohop_error_free(error);
 *     return 1;
 *   }
 *
 *   int main(int argc, char **argv) {
 *     if (argc < 2) return 2;
 *     zerohop_error *error = NULL;
 *
 *     zerohop_model_options model;
 *     zerohop_model_options_init(&model, sizeof model);
 *     model.name = zerohop_str_of("chat");
 *     model.path = zerohop_str_of(argv[1]);
 *     zerohop_engine_options options;
 *     zerohop_engine_options_init(&options, sizeof options);
 *     options.models = &model;
 *     options.model_count = 1;
 *     zerohop_engine *engine = NULL;
 *     if (zerohop_engine_new(&options, &engine, &error) != ZEROHOP_OK) return fail(error);
 *
 *     zerohop_request request;
 *     zerohop_request_init(&request, sizeof request);
 *     request.path = zerohop_str_of("/v1/chat/completions");
 *     request.body = zerohop_str_of(
 *         "{\"model\": \"chat\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}]}");
 *     zerohop_response *response = NULL;
 *     if (zerohop_send(engine, &request, &response, &error) != ZEROHOP_OK) return fail(error);
 *     printf("%d %s\n", zerohop_response_status(response), zerohop_response_body(response).data);
 *
 *     zerohop_response_free(response);
 *     zerohop_engine_free(engine);
 *     return 0;
 *   }
 *
 *
 * Order of calls
 *
 *   1. zerohop_model_options_init and zerohop_engine_options_init, then set what
 *      should differ from the defaults.
 *   2. zerohop_engine_new loads the models.
 *   3. zerohop_request_init, then zerohop_send: gives a response.
 *   4. zerohop_response_body; or for a request with "stream": true,
 *      zerohop_response_next until it returns ZEROHOP_END.
 *   5. zerohop_response_free.
 *   6. zerohop_engine_free; before it zerohop_engine_close, if other threads may
 *      still be in a call.
 *
 * A program with an event loop calls zerohop_submit instead of 3 and 4. It does not
 * wait; on_event and on_done are called on one thread of the engine and hand what they
 * are given to the loop, through a pipe or an eventfd.
 *
 * Paths: POST /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/rerank,
 * /tokenize and /detokenize, GET /v1/models and GET /v1/models/NAME, with the JSON of
 * OpenAI's API, or where that has none (the last three posts) of vLLM's, /v1/files with its forms, and /v1/batches.
 * /v1/audio/transcriptions and /v1/audio/translations take forms; zerohop_transcribe makes them, of memory or a file.
 * zerohop_embeddings writes vectors into memory of the caller's, without JSON. A body for a chat completion has "model" and "messages", and
 * among much else "stream", "tools", "response_format", "temperature" and
 * "max_completion_tokens".
 *
 *
 * Results and errors
 *
 * A function that can fail returns a zerohop_status and takes out_err last. Below 0
 * it has failed, and *out_err, unless out_err is NULL, receives an error that the
 * caller frees. 0 is ZEROHOP_OK. Above 0 are other outcomes (the end of a stream, a
 * cancelled request), which have no error. Other outputs are written with
 * ZEROHOP_OK only; nothing that was in them before is freed.
 *
 * Whatever a hosted API would answer is a response, also a 400 or a 429: its status
 * and its JSON body say what is wrong. Errors are what HTTP has no status for.
 *
 * A NULL where none is allowed is an error, never a crash; so is a fault of the
 * library, where it can be caught. No function throws, prints, or ends the process.
 * Every _free function ignores NULL.
 *
 *
 * Threads
 *
 * An object that a function takes as const may be used by any number of threads at
 * once; without const, by one thread at a time. Any thread may make, use and free
 * any object. Blocking calls are ended from another thread by a cancel token, by
 * zerohop_response_cancel, or by zerohop_engine_close. No function may be called
 * from a signal handler, and a child process of fork may use no engine of its
 * parent. Callbacks say on which thread they are called, and what they may do there.
 *
 *
 * Lifetimes
 *
 * What a function hands out through a pointer to a pointer, or a _new or _clone
 * function returns, belongs to the caller and has a _free function. No object
 * needs another to stay: a response may outlive its engine, a request its cancel
 * token. Structs that a function fills hold texts of the object they came from.
 * Texts that come out belong to the object they came from, and each function
 * says how long they stay. What goes in is only read, during the call.
 */


#ifndef ZEROHOP_H
#define ZEROHOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The first number of this header's version.
 */
#define ZEROHOP_VERSION_MAJOR 0

/**
 * The second number of this header's version.
 */
#define ZEROHOP_VERSION_MINOR 1

/**
 * The third number of this header's version.
 */
#define ZEROHOP_VERSION_PATCH 0

/**
 * The three numbers in one, for comparisons: 1.2.3 is 1002003.
 */
#define ZEROHOP_VERSION (((ZEROHOP_VERSION_MAJOR * 1000000) + (ZEROHOP_VERSION_MINOR * 1000)) + ZEROHOP_VERSION_PATCH)

/**
 * In `gpu_layers`: as many layers as fit into the free memory of the GPUs; none where there is none.
 */
#define ZEROHOP_GPU_LAYERS_AUTO -1

/**
 * In `gpu_layers`: all layers. Without a GPU, or without the memory for it, loading fails.
 */
#define ZEROHOP_GPU_LAYERS_ALL -2

/**
 * In `cpu_moe_layers`: all layers.
 */
#define ZEROHOP_CPU_MOE_LAYERS_ALL 4294967295

/**
 * Cancels requests from any thread: while `zerohop_send` or
 * `zerohop_response_next` blocks in another, or after `zerohop_submit`.
 *
 * One token may be given to any number of requests; it works once, for all of
 * them, and later ones too. May be used by several threads at once. Nothing that
 * it was given to needs it to stay: it may be freed at any time.
 */
typedef struct zerohop_cancel_token zerohop_cancel_token;

/**
 * The devices that this build can compute on, as they were when it was made.
 *
 * May be read by several threads at once. It needs no engine.
 */
typedef struct zerohop_device_list zerohop_device_list;

/**
 * Models in memory, ready for requests.
 *
 * May be used by any number of threads at once, which is what it is made for:
 * their requests are computed together. Responses may outlive it; what is still
 * running in them ends with `ZEROHOP_CLOSED`.
 */
typedef struct zerohop_engine zerohop_engine;

/**
 * Why a call failed. Owned by whoever received it through `out_err`.
 *
 * May be read by several threads at once. It outlives everything else: it holds
 * copies only.
 */
typedef struct zerohop_error zerohop_error;

/**
 * What a `zerohop_fetch_callback` has fetched so far.
 *
 * Any thread, and only during the call of the callback that it was given to.
 */
typedef struct zerohop_fetched zerohop_fetched;

/**
 * A reply: status, headers, and either a whole body or a stream of events.
 *
 * Functions that take it as `const` may be called by several threads at once, the
 * others by one thread at a time. It may outlive its engine.
 */
typedef struct zerohop_response zerohop_response;

/**
 * A piece of text or bytes: a pointer and a length, without ownership.
 *
 * Text is UTF-8. In structs that go in, it must stay valid for the call, and
 * `{NULL, 0}` means "not set". What the library hands out in this form belongs to
 * the object it came from, which says how long it stays; a NUL byte follows it,
 * not counted in `len`, so that text can be used as a C string.
 */
typedef struct zerohop_str {
  /**
   * The first byte.
   */
  const char *data;
  /**
   * The number of bytes.
   */
  size_t len;
} zerohop_str;

/**
 * What a call came to: 0 or above is an outcome, below 0 a failure, which comes
 * with a `zerohop_error`. The numbers never change and are never used again.
 */
typedef int32_t zerohop_status;

/**
 * The numeric type of a model's KV cache. A quantised one takes less memory and
 * answers a little differently.
 */
typedef int32_t zerohop_kv_type;

/**
 * Told how far loading is, `fraction` going from 0 to 1; returns false to stop
 * it.
 *
 * Called on the thread that called `zerohop_engine_new` or `zerohop_engine_load`,
 * before that returns. May
 * call the library. Must not throw, `longjmp` or end its thread.
 */
typedef bool (*zerohop_progress_callback)(void *user_data, float fraction);

/**
 * Whether weights are copied into the layout that the CPU kernels work best with.
 * That makes answers come faster, takes a moment at load, and memory: the weights of
 * a mapped file otherwise stay in the system's file cache, shared by all processes.
 */
typedef int32_t zerohop_repack;

/**
 * A LoRA adapter, and how strongly it is applied.
 */
typedef struct zerohop_adapter {
  /**
   * The GGUF file, as UTF-8.
   */
  struct zerohop_str path;
  /**
   * 1: as it was trained; 0: not at all.
   */
  float scale;
} zerohop_adapter;

/**
 * Fetches the file behind an http(s) URL that a request names as an image, since the
 * library opens no connections itself: gives its bytes with `zerohop_fetched_write` and
 * returns true. For false, the request gets a reply with status 400, whose message has what
 * `zerohop_fetched_fail` was given.
 *
 * Which addresses may be reached is for the callee to see to: the URL is a request's.
 *
 * `url` and `fetched` are valid during the call. Called on the threads that make requests
 * and on some of the engine's, several at the same time, until the engine is freed or the
 * model unloaded. May call the library, except to free the engine. Must not throw, `longjmp`
 * or end its thread.
 */
typedef bool (*zerohop_fetch_callback)(void *user_data,
                                       struct zerohop_str url,
                                       const struct zerohop_fetched *fetched);

/**
 * Whether attention is computed in one operation.
 */
typedef int32_t zerohop_flash_attention;

/**
 * What to load and how. Fill it with `zerohop_model_options_init`, then set `name`
 * and `path`, and what should differ from the defaults.
 *
 * Only read, and only during `zerohop_engine_new` or `zerohop_engine_load`: it, its
 * texts and arrays may go afterwards.
 */
typedef struct zerohop_model_options {
  /**
   * The size of this struct as the caller knows it; set by the init function.
   */
  size_t struct_size;
  /**
   * The name that requests use in `"model"`. Required.
   */
  struct zerohop_str name;
  /**
   * The GGUF file, as UTF-8. Required.
   */
  struct zerohop_str path;
  /**
   * Tokens that all running requests share, and at most one request's prompt
   * and answer together. 0: the model's own context, at most 8192.
   */
  uint32_t context_length;
  /**
   * Threads to compute with. 0: the processors available to this process.
   */
  uint32_t threads;
  /**
   * Layers to put on GPUs, counted from the end of the model; what is behind the last counts as one.
   * `ZEROHOP_GPU_LAYERS_AUTO` (the default): as many as fit; `ZEROHOP_GPU_LAYERS_ALL`; 0: none.
   */
  int32_t gpu_layers;
  /**
   * Requests computed together, 1 to 256. 0: 16. Others wait in the queue.
   */
  uint32_t parallel;
  /**
   * Requests that may wait; one more gets a reply with status 429. 0: 512.
   */
  uint32_t queue;
  /**
   * The numeric type of the KV cache.
   */
  zerohop_kv_type kv_type;
  /**
   * Whether to map the file into memory instead of reading it. Default: true.
   */
  bool use_mmap;
  /**
   * A Jinja chat template in place of the file's own. Not set: the file's.
   */
  struct zerohop_str chat_template;
  /**
   * More names that requests may use.
   */
  const struct zerohop_str *aliases;
  /**
   * The number of `aliases`.
   */
  size_t alias_count;
  /**
   * Passed to `progress`.
   */
  void *progress_user_data;
  /**
   * Called while loading; NULL for nothing.
   */
  zerohop_progress_callback progress;
  /**
   * Whether weights are repacked for the CPU kernels.
   */
  zerohop_repack repack;
  /**
   * Whether the model is loaded when the first request for it comes, which waits, as do
   * others for the same model. Its file is found and checked at once. When memory is
   * needed for another model, it is unloaded while it has no requests, the model that was
   * not used for longest first, and loaded again when it is asked for. Of its loading,
   * `progress` hears a download only. Default: false.
   */
  bool lazy;
  /**
   * Whether what was computed stays in the KV cache for requests that begin alike: the next
   * turn of a conversation, the same instructions before another question. Kept cells are
   * given up when running requests need them; `cached_tokens` in a reply's usage says how much
   * of a prompt was not computed again. Default: true.
   */
  bool prefix_cache;
  /**
   * Whether tokens that came before, in the prompt or the answer, are drafted where the newest
   * ones come again, and checked together. No answer changes; it is left alone where it does
   * not pay. Default: true.
   */
  bool speculation;
  /**
   * LoRA adapters to apply. Models that are loaded from the same file with the same
   * `use_mmap`, `repack` and options about GPUs share its weights, so that adapted variants of
   * a model, each under a name of its own, together take little more memory than one.
   */
  const struct zerohop_adapter *adapters;
  /**
   * The number of `adapters`.
   */
  size_t adapter_count;
  /**
   * The projector with which the model sees or hears, a GGUF file, as UTF-8. Not set: the
   * only `mmproj*.gguf` in the model's folder, if the model is the only one there too;
   * without one, images and audio in messages get a reply with status 400.
   */
  struct zerohop_str projector;
  /**
   * A folder whose images requests may name with `file:` URLs. Not set: none.
   */
  struct zerohop_str media_folder;
  /**
   * Passed to `media_fetcher`; must stay for as long as that may be called.
   */
  void *media_fetcher_user_data;
  /**
   * Fetches the images that requests name with http(s) URLs; NULL for none. Not with
   * `ZEROHOP_ISOLATION_PROCESS`.
   */
  zerohop_fetch_callback media_fetcher;
  /**
   * The most tokens that an image has, up to 8192, for projectors whose images have as many as
   * their size says: larger ones are scaled down. 0: the projector's own.
   */
  uint32_t image_max_tokens;
  /**
   * A smaller model with the same vocabulary that drafts what this one will say, a GGUF file, as
   * UTF-8: its drafts are checked together with the next token, and no answer changes. It pays
   * where it is many times faster and often right, and is asked only while it does. Not set: none.
   */
  struct zerohop_str draft_model;
  /**
   * A folder in which what the prefix cache keeps is saved when the model is unloaded or the engine
   * closed, and from which it is read when the model is loaded the next time; made if it is not
   * there. Not set: nothing is saved.
   */
  struct zerohop_str prefix_cache_folder;
  /**
   * The GPUs to use, by the names that `zerohop_system_info` gives. None: all graphics cards, or else
   * all graphics units that share the host's memory.
   */
  const struct zerohop_str *devices;
  /**
   * The number of `devices`.
   */
  size_t device_count;
  /**
   * How much of what is offloaded each of these gets, in any unit. Only with explicit
   * `gpu_layers`. None: by free memory.
   */
  const float *tensor_split;
  /**
   * The number of parts in `tensor_split`.
   */
  size_t tensor_split_count;
  /**
   * Bytes that `ZEROHOP_GPU_LAYERS_AUTO` leaves free on each device. 0: 1 GiB.
   */
  uint64_t gpu_margin;
  /**
   * Layers, counted from the first, whose experts stay on the CPU, or
   * `ZEROHOP_CPU_MOE_LAYERS_ALL`. Only with explicit `gpu_layers`. Default: 0.
   */
  uint32_t cpu_moe_layers;
  /**
   * Whether attention is computed in one operation.
   */
  zerohop_flash_attention flash_attention;
} zerohop_model_options;

/**
 * Where an engine computes.
 */
typedef int32_t zerohop_isolation;

/**
 * What an engine should serve. Fill it with `zerohop_engine_options_init`, then
 * set `models` and `model_count`.
 *
 * Only read, and only during `zerohop_engine_new`.
 */
typedef struct zerohop_engine_options {
  /**
   * The size of this struct as the caller knows it; set by the init function.
   */
  size_t struct_size;
  /**
   * The models, at least one, with different names. All must have been filled
   * by `zerohop_model_options_init` with the same size.
   */
  const struct zerohop_model_options *models;
  /**
   * The number of `models`.
   */
  size_t model_count;
  /**
   * API keys. With any, each request has to show one in a header `authorization`,
   * `Bearer KEY`, or gets a reply with status 401. Default: none, and whatever key a
   * request shows is accepted.
   */
  const struct zerohop_str *api_keys;
  /**
   * The number of `api_keys`.
   */
  size_t api_key_count;
  /**
   * Requests in a minute, for each API key, or in all if there are no keys; one more
   * gets a reply with status 429 whose `retry-after` says when to come again. They
   * come back evenly, and `x-ratelimit-` headers tell of them. 0: no limit.
   */
  uint32_t requests_per_minute;
  /**
   * Tokens in a minute, in the same way: a request takes its prompt's and as many as it
   * asks for; what it did not use comes back when it ends. 0: no limit.
   */
  uint32_t tokens_per_minute;
  /**
   * How long a request may take, in milliseconds, from its arrival to its last token;
   * then it ends with status 408, or an error event in a stream. The header
   * `x-request-timeout` (seconds) shortens it for one request. 0: no limit.
   */
  uint64_t timeout_ms;
  /**
   * Where the models are computed with.
   */
  zerohop_isolation isolation;
  /**
   * With `ZEROHOP_ISOLATION_PROCESS`, the program to start. Default (also for an
   * empty text): `zerohop` beside the host's program, or else in the folders of `PATH`.
   */
  struct zerohop_str worker;
  /**
   * The bytes that all models together may take, by estimate. Where the next model would go
   * beyond, models that are loaded lazily and have no requests are unloaded, the one that
   * was not used for longest first; if that is not enough, it is refused with status 503,
   * `memory_budget_exceeded`. 0: no limit but the system's.
   */
  uint64_t memory_budget;
} zerohop_engine_options;

/**
 * What a device has of a model in memory.
 */
typedef struct zerohop_placement {
  /**
   * The device's name; `CPU` for the host.
   */
  struct zerohop_str device;
  /**
   * The layers that it computes. What is behind the last layer counts as one.
   */
  uint32_t layers;
  /**
   * Bytes of weights. On the CPU, of a mapped file too.
   */
  uint64_t weights;
  /**
   * Bytes of the KV cache.
   */
  uint64_t kv_cache;
  /**
   * Bytes that computing takes.
   */
  uint64_t compute;
} zerohop_placement;

/**
 * What a model is. `zerohop_engine_model_info` fills it.
 *
 * Its texts belong to the engine and are valid until that is freed, also after
 * `zerohop_engine_close` and when the model was unloaded; a NUL follows each.
 */
typedef struct zerohop_model_info {
  /**
   * The size of this struct as the caller knows it.
   */
  size_t struct_size;
  /**
   * The name that requests use in `"model"`.
   */
  struct zerohop_str id;
  /**
   * The GGUF file.
   */
  struct zerohop_str path;
  /**
   * The architecture, such as `llama` or `qwen2`.
   */
  struct zerohop_str architecture;
  /**
   * The name the file gives itself; `{NULL, 0}` if it gives none.
   */
  struct zerohop_str name;
  /**
   * The quantisation, such as `Q4_K_M`; `{NULL, 0}` where the file does not say.
   */
  struct zerohop_str quantization;
  /**
   * More names that requests may use.
   */
  const struct zerohop_str *aliases;
  /**
   * The number of `aliases`.
   */
  size_t alias_count;
  /**
   * The file's size in bytes.
   */
  uint64_t file_size;
  /**
   * The number of parameters.
   */
  uint64_t parameters;
  /**
   * When the file, or that of an adapter, was last changed, in seconds since 1970.
   */
  uint64_t created;
  /**
   * The number of tokens of the vocabulary.
   */
  uint64_t vocabulary_size;
  /**
   * The context length the model was trained with, in tokens.
   */
  uint32_t trained_context_length;
  /**
   * The context length in use, in tokens.
   */
  uint32_t context_length;
  /**
   * Whether the model can chat: the file or the options give a template.
   */
  bool has_chat_template;
  /**
   * Whether it is in memory, which a model that is loaded lazily is not always.
   */
  bool loaded;
  /**
   * The LoRA adapters that are applied.
   */
  const struct zerohop_adapter *adapters;
  /**
   * The number of `adapters`.
   */
  size_t adapter_count;
  /**
   * The file of the draft model; NULL if there is none.
   */
  struct zerohop_str draft_model;
  /**
   * What of the model and its KV cache lies where, the CPU first; none for a model that is not in
   * memory, and for speech models. Draft models and projectors are not counted.
   */
  const struct zerohop_placement *placements;
  /**
   * The number of `placements`.
   */
  size_t placement_count;
  /**
   * What makes an answer depend on what else is computed with it, where near ties may fall one way or
   * the other. `{NULL, 0}` where a request is answered alike alone, in a crowd, and with what was kept
   * of others. Known of models in memory.
   */
  struct zerohop_str batch_variance;
} zerohop_model_info;

/**
 * A header of a request.
 */
typedef struct zerohop_header {
  /**
   * The name, in any case.
   */
  struct zerohop_str name;
  /**
   * The value.
   */
  struct zerohop_str value;
} zerohop_header;

/**
 * What a client would send to a hosted API. Fill it with `zerohop_request_init`,
 * then set `path` and `body`.
 *
 * Only read, and only during the call it is passed to: it, its texts and arrays
 * may go afterwards.
 */
typedef struct zerohop_request {
  /**
   * The size of this struct as the caller knows it; set by the init function.
   */
  size_t struct_size;
  /**
   * The HTTP method. Default: `POST`.
   */
  struct zerohop_str method;
  /**
   * The path, such as `/v1/chat/completions`, and a query if there is one.
   * Required.
   */
  struct zerohop_str path;
  /**
   * The type of the body. Default: `application/json`.
   */
  struct zerohop_str content_type;
  /**
   * More headers.
   */
  const struct zerohop_header *headers;
  /**
   * The number of `headers`.
   */
  size_t header_count;
  /**
   * The body: for JSON paths, the JSON text that a client would post.
   */
  struct zerohop_str body;
  /**
   * Cancels this request from another thread; NULL for nothing. May be freed
   * before the request has ended.
   */
  const struct zerohop_cancel_token *cancel;
} zerohop_request;

/**
 * Texts to turn into vectors. Fill it with `zerohop_embedding_request_init`, then
 * set `model`, `texts` and `text_count`.
 *
 * Only read, and only during the call it is passed to.
 */
typedef struct zerohop_embedding_request {
  /**
   * The size of this struct as the caller knows it; set by the init function.
   */
  size_t struct_size;
  /**
   * The name of the model. Required.
   */
  struct zerohop_str model;
  /**
   * The texts, none of them empty. Required.
   */
  const struct zerohop_str *texts;
  /**
   * The number of `texts`, 1 to 2048.
   */
  size_t text_count;
  /**
   * Keeps this many numbers of each vector, which is then scaled to length 1
   * again. 0: all.
   */
  uint32_t dimensions;
} zerohop_embedding_request;

/**
 * What the text of speech comes in.
 */
typedef int32_t zerohop_audio_format;

/**
 * Speech to write down. Fill it with `zerohop_transcription_request_init`, then set
 * `model`, and either `path` or `audio` and `audio_size`.
 *
 * Only read, and only during the call it is passed to.
 */
typedef struct zerohop_transcription_request {
  /**
   * The size of this struct as the caller knows it; set by the init function.
   */
  size_t struct_size;
  /**
   * The name of a speech model. Required.
   */
  struct zerohop_str model;
  /**
   * A file to read, as UTF-8: WAV, FLAC, MP3, MP4, M4A, OGG, WEBM, AIFF or CAF.
   */
  struct zerohop_str path;
  /**
   * The same file in memory, in place of `path`.
   */
  const void *audio;
  /**
   * The number of bytes of `audio`.
   */
  size_t audio_size;
  /**
   * The language as a code of ISO 639-1, such as "en". Default: found out.
   */
  struct zerohop_str language;
  /**
   * What might have been said before: it spells names and sets the style.
   */
  struct zerohop_str prompt;
  /**
   * What the text comes in.
   */
  zerohop_audio_format format;
  /**
   * From 0 to 1. 0: as certain as possible, warmer where that goes wrong.
   */
  float temperature;
  /**
   * Whether the verbose format has times of words; then its segments are left out
   * unless `segments` is true.
   */
  bool words;
  /**
   * Whether the verbose format has segments, where it has words.
   */
  bool segments;
  /**
   * Whether the text is to be English, whatever is spoken. The model has to know
   * several languages; `language`, `words`, `segments` and `stream` have to be as the
   * init function sets them.
   */
  bool translate;
  /**
   * Whether the response is a stream: see `zerohop_response_next`. With the format
   * JSON or TEXT only.
   */
  bool stream;
  /**
   * Cancels this request from another thread; NULL for nothing. May be freed
   * before the request has ended.
   */
  const struct zerohop_cancel_token *cancel;
} zerohop_transcription_request;

/**
 * Told of an event of a stream: `event` is its JSON, as from
 * `zerohop_response_next`. Returns false to cancel the request.
 *
 * `response` is there for its status, headers and `zerohop_response_text`. It is
 * the library's; it and `event` are valid during the call.
 *
 * Called on the engine's thread for callbacks; see `zerohop_submit` for what that
 * may do.
 */
typedef bool (*zerohop_event_callback)(void *user_data,
                                       struct zerohop_response *response,
                                       struct zerohop_str event);

/**
 * Told that a request is over: the last call for it, and the only one of this kind.
 *
 * `status` is `ZEROHOP_OK` when the reply is complete: `response` is the whole
 * reply, or a stream whose events have all been given to `on_event`. It is
 * `ZEROHOP_CANCELLED` for a cancelled request. Below 0 the request has failed, with
 * `ZEROHOP_CLOSED` or `ZEROHOP_PANIC`, and `error` says why. A reply such as a 400 or
 * a 429 is a response.
 *
 * `response` and `error` now belong to the callee, each NULL if there is none; they
 * may be passed to another thread. A stream that was cancelled or has failed has a
 * response too, if it had begun.
 *
 * Called on the engine's thread for callbacks.
 */
typedef void (*zerohop_done_callback)(void *user_data,
                                      zerohop_status status,
                                      struct zerohop_response *response,
                                      struct zerohop_error *error);

/**
 * Where a reply goes. Fill it with `zerohop_callbacks_init`, then set `on_done`, and
 * `on_event` for streams.
 *
 * Only read, and only during `zerohop_submit`.
 */
typedef struct zerohop_callbacks {
  /**
   * The size of this struct as the caller knows it; set by the init function.
   */
  size_t struct_size;
  /**
   * Passed to the callbacks. It must stay until `on_done`, where it can be freed.
   */
  void *user_data;
  /**
   * Called for each event of a stream; NULL to pass over them.
   */
  zerohop_event_callback on_event;
  /**
   * Called at the end. Required.
   */
  zerohop_done_callback on_done;
} zerohop_callbacks;

/**
 * What a device is.
 */
typedef int32_t zerohop_device_kind;

/**
 * A device. `zerohop_device_list_get` fills it.
 *
 * Its texts belong to the list and are valid until that is freed; a NUL follows
 * each.
 */
typedef struct zerohop_device {
  /**
   * The size of this struct as the caller knows it.
   */
  size_t struct_size;
  /**
   * The backend's short name, such as `CPU` or `CUDA0`.
   */
  struct zerohop_str name;
  /**
   * What the hardware calls itself.
   */
  struct zerohop_str description;
  /**
   * Total memory in bytes.
   */
  uint64_t memory_total;
  /**
   * Free memory in bytes.
   */
  uint64_t memory_free;
  /**
   * The kind of device.
   */
  zerohop_device_kind kind;
} zerohop_device;

/**
 * How much a message matters. A smaller number matters more.
 */
typedef int32_t zerohop_log_level;

/**
 * Told what the library has to say: one line, without an end of line. `target` is
 * where it comes from, `zerohop` or `zerohop::llama` (llama.cpp). Both are valid
 * during the call.
 *
 * Called on whichever thread has something to say, also on several at once and
 * while that thread is in a call of the library's. Must not call the library, wait
 * for a thread that does, throw, `longjmp` or end its thread; it holds up
 * computing, so it should be quick.
 */
typedef void (*zerohop_log_callback)(void *user_data,
                                     zerohop_log_level level,
                                     const char *target,
                                     const char *message);

/**
 * Done; outputs are written.
 */
#define ZEROHOP_OK 0

/**
 * The stream has no more events.
 */
#define ZEROHOP_END 1

/**
 * The time given to `zerohop_response_next_timeout` has passed, ask again; or that given
 * to `zerohop_engine_drain`.
 */
#define ZEROHOP_TIMEOUT 2

/**
 * The request was cancelled by the caller.
 */
#define ZEROHOP_CANCELLED 3

/**
 * An argument or option is missing or outside its range; `param` names it.
 */
#define ZEROHOP_INVALID_ARGUMENT -1

/**
 * A fault of the library that it caught in this call: please report it.
 */
#define ZEROHOP_PANIC -2

/**
 * The engine has been closed.
 */
#define ZEROHOP_CLOSED -3

/**
 * The model file does not exist or cannot be opened.
 */
#define ZEROHOP_MODEL_FILE -4

/**
 * The file is no usable model: not GGUF, truncated, or refused by llama.cpp.
 */
#define ZEROHOP_INVALID_MODEL -5

/**
 * A request that cannot be served as it is (HTTP 400).
 */
#define ZEROHOP_INVALID_REQUEST -6

/**
 * A missing or wrong API key (HTTP 401).
 */
#define ZEROHOP_AUTHENTICATION -7

/**
 * A request that is understood and refused (HTTP 403).
 */
#define ZEROHOP_PERMISSION_DENIED -8

/**
 * An unknown model, path or stored object (HTTP 404).
 */
#define ZEROHOP_NOT_FOUND -9

/**
 * A request that contradicts the state of an object (HTTP 409).
 */
#define ZEROHOP_CONFLICT -10

/**
 * The queue or a rate limit is full (HTTP 429).
 */
#define ZEROHOP_RATE_LIMIT -11

/**
 * A fault of the engine (HTTP 500).
 */
#define ZEROHOP_INTERNAL -12

/**
 * Loading, draining, or short of memory (HTTP 503).
 */
#define ZEROHOP_UNAVAILABLE -13

/**
 * A request that took longer than its time limit (HTTP 408).
 */
#define ZEROHOP_REQUEST_TIMEOUT -14

/**
 * 16-bit floats (the default).
 */
#define ZEROHOP_KV_TYPE_F16 0

/**
 * 32-bit floats.
 */
#define ZEROHOP_KV_TYPE_F32 1

/**
 * 8-bit blocks, about half of F16.
 */
#define ZEROHOP_KV_TYPE_Q8_0 2

/**
 * 4-bit blocks, about a quarter of F16.
 */
#define ZEROHOP_KV_TYPE_Q4_0 3

/**
 * In the host's process (the default).
 */
#define ZEROHOP_ISOLATION_NONE 0

/**
 * In a worker process. Native code that fails ends the worker alone: the requests that it
 * was working on get a reply with status 503, and the next request starts another worker,
 * which loads the models again. All functions work as without.
 */
#define ZEROHOP_ISOLATION_PROCESS 1

/**
 * Where half as much memory again as the file is large is free, or the file is not
 * mapped anyway (the default).
 */
#define ZEROHOP_REPACK_AUTO 0

/**
 * Always.
 */
#define ZEROHOP_REPACK_ON 1

/**
 * Never: zerohop's kernels stay unused. llama.cpp still repacks the few types that it
 * has kernels of its own for.
 */
#define ZEROHOP_REPACK_OFF 2

/**
 * Where it is good: on GPUs that can, with zerohop's kernels, and where the KV cache needs it (the default).
 */
#define ZEROHOP_FLASH_ATTENTION_AUTO 0

/**
 * Always.
 */
#define ZEROHOP_FLASH_ATTENTION_ON 1

/**
 * Never, which rules out quantised KV caches.
 */
#define ZEROHOP_FLASH_ATTENTION_OFF 2

/**
 * A JSON object with `text` and `usage` (the default).
 */
#define ZEROHOP_AUDIO_FORMAT_JSON 0

/**
 * The text alone.
 */
#define ZEROHOP_AUDIO_FORMAT_TEXT 1

/**
 * Subtitles in the form SRT.
 */
#define ZEROHOP_AUDIO_FORMAT_SRT 2

/**
 * Subtitles in the form VTT.
 */
#define ZEROHOP_AUDIO_FORMAT_VTT 3

/**
 * A JSON object with language, duration, segments and words too.
 */
#define ZEROHOP_AUDIO_FORMAT_VERBOSE_JSON 4

/**
 * The host's processor.
 */
#define ZEROHOP_DEVICE_KIND_CPU 0

/**
 * A graphics card with memory of its own.
 */
#define ZEROHOP_DEVICE_KIND_GPU 1

/**
 * A graphics unit that shares the host's memory.
 */
#define ZEROHOP_DEVICE_KIND_INTEGRATED_GPU 2

/**
 * Another accelerator, such as a matrix library on the processor; also a kind that
 * only a later version names.
 */
#define ZEROHOP_DEVICE_KIND_ACCELERATOR 3

/**
 * What went wrong; also llama.cpp's last words before it ends the process.
 */
#define ZEROHOP_LOG_LEVEL_ERROR 1

/**
 * What may go wrong.
 */
#define ZEROHOP_LOG_LEVEL_WARN 2

/**
 * What a host's own log may want to say.
 */
#define ZEROHOP_LOG_LEVEL_INFO 3

/**
 * What llama.cpp says while it loads a model.
 */
#define ZEROHOP_LOG_LEVEL_DEBUG 4

/**
 * Everything.
 */
#define ZEROHOP_LOG_LEVEL_TRACE 5

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library and of the llama.cpp inside it, such as
 * `"0.1.0 (llama.cpp b9000)"`.
 *
 * Any thread; the text lives as long as the process.
 */
const char *zerohop_version(void);

/**
 * This build and the machine that it runs on, as a JSON object: `version`, `llama_cpp`, `processors`
 * (how many the process may use), `cpu_features`, `missing_cpu_features` (where there are any, no model
 * can be loaded), `kernels` (`"avx512"`, `"avx2"`, or null for llama.cpp's own) and `devices`. As it was
 * at the first call; what to add to a report about speed.
 *
 * Any thread; the text lives as long as the process.
 */
const char *zerohop_system_info(void);

/**
 * The version of the library as one number, made as `ZEROHOP_VERSION` is. The
 * two differ when a program runs with another library than it was compiled for.
 *
 * Any thread.
 */
uint32_t zerohop_version_number(void);

/**
 * Whether this build of the library has a feature. So far: `chat` (the path
 * `/v1/chat/completions`) and `openmp` (computes on several threads). An unknown
 * name, also one of a later version, is false.
 *
 * Any thread.
 */
bool zerohop_has_feature(const char *name, size_t name_len);

/**
 * Describes a NUL-terminated C string, without copying it; `{NULL, 0}` for NULL.
 *
 * Any thread. The result is valid as long as `text` is.
 */
struct zerohop_str zerohop_str_of(const char *text);

/**
 * The name of a status, such as `"ZEROHOP_CLOSED"`, for logs; `"unknown"` for a
 * number that is none. Any thread; the text lives as long as the process.
 */
const char *zerohop_status_name(zerohop_status status);

/**
 * The status that the failed call returned; `ZEROHOP_OK` for NULL.
 *
 * Any thread.
 */
zerohop_status zerohop_error_status(const struct zerohop_error *error);

/**
 * The HTTP status with which a hosted API would report this; 0 where there is
 * none (a file that cannot be loaded, a closed engine) and for NULL.
 *
 * Any thread.
 */
uint16_t zerohop_error_http_status(const struct zerohop_error *error);

/**
 * What happened and what to do about it, for people. Never NULL; empty for NULL.
 *
 * Any thread. The text is valid until the error is freed.
 */
const char *zerohop_error_message(const struct zerohop_error *error);

/**
 * The family of the error in the API's words, such as `"invalid_request_error"`;
 * NULL for NULL.
 *
 * Any thread. The text is valid until the error is freed.
 */
const char *zerohop_error_type(const struct zerohop_error *error);

/**
 * The argument, option or request parameter at fault, such as `"models[0].path"`;
 * NULL if there is none.
 *
 * Any thread. The text is valid until the error is freed.
 */
const char *zerohop_error_param(const struct zerohop_error *error);

/**
 * The API's stable word for the error, such as `"model_not_found"`; NULL if there
 * is none.
 *
 * Any thread. The text is valid until the error is freed.
 */
const char *zerohop_error_code(const struct zerohop_error *error);

/**
 * Frees an error and the texts that came from it. NULL is ignored.
 *
 * Any thread, once, when no other thread uses the error.
 */
void zerohop_error_free(struct zerohop_error *error);

/**
 * Adds bytes to those of the file that is being fetched; copies them. Does nothing for
 * NULL. More than 64 MiB are refused, which the request is told: then the rest need not be
 * fetched, and this gives false.
 *
 * Any thread, during the call of the callback.
 */
bool zerohop_fetched_write(const struct zerohop_fetched *fetched, struct zerohop_str bytes);

/**
 * Says why a file cannot be fetched. Does nothing for NULL, or a text that is not UTF-8.
 *
 * Any thread, during the call of the callback.
 */
void zerohop_fetched_fail(const struct zerohop_fetched *fetched, struct zerohop_str reason);

/**
 * Fills model options with their defaults. `struct_size` is
 * `sizeof(zerohop_model_options)`, so that the library fills what the caller has,
 * whichever of them is newer. Does nothing for NULL.
 *
 * Any thread.
 */
void zerohop_model_options_init(struct zerohop_model_options *options, size_t struct_size);

/**
 * Fills engine options with their defaults. `struct_size` is
 * `sizeof(zerohop_engine_options)`. Does nothing for NULL.
 *
 * Any thread.
 */
void zerohop_engine_options_init(struct zerohop_engine_options *options, size_t struct_size);

/**
 * Loads models and makes an engine of them. Blocks until they are loaded.
 *
 * `options` is only read, during the call. `*out` receives an engine that
 * `zerohop_engine_free` frees.
 *
 * Any thread.
 *
 * Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL, an option out of range, a name
 * given twice), `ZEROHOP_MODEL_FILE`, `ZEROHOP_INVALID_MODEL` or
 * `ZEROHOP_UNAVAILABLE` (short of memory). A file that is no model is never more
 * than an error.
 */
zerohop_status zerohop_engine_new(const struct zerohop_engine_options *options,
                                  struct zerohop_engine **out,
                                  struct zerohop_error **out_err);

/**
 * Adds a model while the engine runs, and loads it unless it is loaded lazily. Blocks until
 * that is done; the other models and their requests go on meanwhile, and requests for the
 * new name wait.
 *
 * `model` is only read, during the call, and its `progress` is called on this thread.
 *
 * Any thread.
 *
 * Fails as `zerohop_engine_new` does, also for a name that another model has, and with
 * `ZEROHOP_CLOSED`. The name is free again then.
 */
zerohop_status zerohop_engine_load(const struct zerohop_engine *engine,
                                   const struct zerohop_model_options *model,
                                   struct zerohop_error **out_err);

/**
 * Unloads the model of this name or alias and forgets it. Its requests end at once with
 * status 503, `model_unloaded`, later ones get a 404; other models and their requests are
 * not disturbed. Blocks until the model's threads have gone. The name may then be loaded
 * again.
 *
 * Any thread.
 *
 * Fails with `ZEROHOP_NOT_FOUND`, `ZEROHOP_CLOSED`, or `ZEROHOP_INVALID_ARGUMENT` for NULL.
 */
zerohop_status zerohop_engine_unload(const struct zerohop_engine *engine,
                                     struct zerohop_str name,
                                     struct zerohop_error **out_err);

/**
 * Ends all requests and unloads the models: calls that are blocked, and streams
 * that are not complete, end with `ZEROHOP_CLOSED`, and so do requests of
 * `zerohop_submit`. Blocks until the engine's threads have gone, after the last
 * `on_done`. Later requests fail; closing twice, or NULL, does nothing. The engine
 * itself goes with `zerohop_engine_free`.
 *
 * Any thread, also while others use the engine. In a callback of `zerohop_submit`
 * too: the callbacks of other requests then come after that callback.
 */
void zerohop_engine_close(const struct zerohop_engine *engine);

/**
 * Closes an engine gracefully: new requests get a reply with status 503, those that
 * have begun may end within `timeout_ms` milliseconds (`UINT64_MAX`: without limit), and
 * then it closes as `zerohop_engine_close` does. A request has ended when its answer has
 * been read, too: streams are read by other threads, or by callbacks.
 *
 * Returns `ZEROHOP_OK` when all requests have ended by themselves, `ZEROHOP_TIMEOUT` when
 * some were cut off. Fails with `ZEROHOP_INVALID_ARGUMENT` for NULL.
 *
 * Any thread, also while others use the engine; `zerohop_engine_close` on another thread
 * ends the waiting. In a callback of `zerohop_submit`, whose own request has not ended, it
 * waits for nothing.
 */
zerohop_status zerohop_engine_drain(const struct zerohop_engine *engine,
                                    uint64_t timeout_ms,
                                    struct zerohop_error **out_err);

/**
 * Closes an engine, as `zerohop_engine_close` does, and frees it. NULL is ignored.
 *
 * Any thread, once, when no call with this engine is running: where others may be
 * blocked in `zerohop_send`, call `zerohop_engine_close` and wait for them first.
 * Requests of `zerohop_submit` need not be waited for.
 */
void zerohop_engine_free(struct zerohop_engine *engine);

/**
 * The number of models, in the order of the options, those of `zerohop_engine_load` last;
 * 0 for NULL.
 *
 * Any thread, also while others use the engine, and after it was closed.
 */
size_t zerohop_engine_model_count(const struct zerohop_engine *engine);

/**
 * Describes a model by its index, which changes when models before it are unloaded. `*out` is filled as far as `struct_size`, which
 * is `sizeof(zerohop_model_info)`.
 *
 * Any thread, also while others use the engine, and after it was closed. The texts
 * are valid until the engine is freed.
 *
 * Fails with `ZEROHOP_INVALID_ARGUMENT`: a NULL, no such index, no size of a
 * struct.
 */
zerohop_status zerohop_engine_model_info(const struct zerohop_engine *engine,
                                         size_t index,
                                         struct zerohop_model_info *out,
                                         size_t struct_size,
                                         struct zerohop_error **out_err);

/**
 * Fills a request with its defaults. `struct_size` is `sizeof(zerohop_request)`.
 * Does nothing for NULL.
 *
 * Any thread.
 */
void zerohop_request_init(struct zerohop_request *request, size_t struct_size);

/**
 * Sends a request to an engine. Blocks until the whole reply is there or, for a
 * request with `"stream": true`, until the stream has begun.
 *
 * `*out` receives a response that `zerohop_response_free` frees. Whatever a hosted
 * API would answer is a response and `ZEROHOP_OK`, also a 400, a 404 or a 429:
 * look at `zerohop_response_status`.
 *
 * Any thread, also while others use the engine.
 *
 * Returns `ZEROHOP_CANCELLED` if the request's token was used. Fails with
 * `ZEROHOP_INVALID_ARGUMENT` (a NULL, a text that is no method, path or header)
 * or `ZEROHOP_CLOSED`.
 */
zerohop_status zerohop_send(const struct zerohop_engine *engine,
                            const struct zerohop_request *request,
                            struct zerohop_response **out,
                            struct zerohop_error **out_err);

/**
 * The HTTP status, such as 200 or 404; 0 for NULL.
 *
 * Any thread.
 */
uint16_t zerohop_response_status(const struct zerohop_response *response);

/**
 * The value of a header, such as `x-request-id`, its name in any case; NULL if
 * there is none, and for NULL.
 *
 * Any thread. The text is valid until the response is freed.
 */
const char *zerohop_response_header(const struct zerohop_response *response,
                                    const char *name,
                                    size_t name_len);

/**
 * The number of headers, for a caller that passes them all on; 0 for NULL.
 *
 * Any thread.
 */
size_t zerohop_response_header_count(const struct zerohop_response *response);

/**
 * A header by its index, its name in lower case; both texts `{NULL, 0}` if there is
 * none, and for NULL.
 *
 * Any thread. The texts are valid until the response is freed, and a NUL follows
 * each.
 */
struct zerohop_header zerohop_response_header_at(const struct zerohop_response *response, size_t index);

/**
 * The whole body: JSON. `{NULL, 0}` for a stream and for NULL.
 *
 * Any thread. The text is valid until the response is freed, and a NUL follows
 * it.
 */
struct zerohop_str zerohop_response_body(const struct zerohop_response *response);

/**
 * Whether the body comes in events, for `zerohop_response_next`. A request with
 * `"stream": true` that fails is answered with a whole body all the same. False
 * for NULL.
 *
 * Any thread.
 */
bool zerohop_response_is_stream(const struct zerohop_response *response);

/**
 * Waits for the next event of a stream from `zerohop_send`. `*out_event` receives
 * its JSON, without the framing of server-sent events. A fault while the answer is generated is an
 * event too, `{"error": {...}}`, and the last one.
 *
 * One thread at a time. The JSON is valid until the next event is asked for or the
 * response is freed, and a NUL follows it.
 *
 * Returns `ZEROHOP_END` after the last event (where HTTP has `[DONE]`), and again
 * whenever it is called after that, and `ZEROHOP_CANCELLED` when the request was
 * cancelled. Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL, no stream, one whose
 * events go to a callback, another thread is reading) or `ZEROHOP_CLOSED`; then the
 * stream has ended.
 */
zerohop_status zerohop_response_next(struct zerohop_response *response,
                                     struct zerohop_str *out_event,
                                     struct zerohop_error **out_err);

/**
 * Like `zerohop_response_next`, but returns `ZEROHOP_TIMEOUT` when there is no
 * event within `timeout_ms` milliseconds; 0 only looks. The stream goes on, and
 * the event before stays valid.
 */
zerohop_status zerohop_response_next_timeout(struct zerohop_response *response,
                                             uint64_t timeout_ms,
                                             struct zerohop_str *out_event,
                                             struct zerohop_error **out_err);

/**
 * The text of the answer, without a JSON parser: for a stream, the piece in the
 * current event; otherwise the whole of it. With several choices, that of the
 * first. `{NULL, 0}` where there is none: in an event that carries no text, in a
 * failed reply, before the first event, and for NULL.
 *
 * One thread at a time. For a stream, the text is valid until the next event is
 * asked for, otherwise until the response is freed; a NUL follows it.
 */
struct zerohop_str zerohop_response_text(struct zerohop_response *response);

/**
 * Stops a stream: `zerohop_response_next`, also one that is blocked in another
 * thread, returns `ZEROHOP_CANCELLED`, and the engine stops computing at its next
 * step. An answer that is complete already is still handed out. Does nothing for
 * a whole reply, a second time, and for NULL.
 *
 * Any thread, also while another reads the stream. Takes a lock for a moment, so
 * do not call it from a signal handler.
 */
void zerohop_response_cancel(const struct zerohop_response *response);

/**
 * Frees a response and all texts that came from it; stops a stream that is not
 * complete. NULL is ignored.
 *
 * Any thread, once, when no other thread uses the response: to end a read that is
 * blocked in another thread, call `zerohop_response_cancel` and wait for it first.
 */
void zerohop_response_free(struct zerohop_response *response);

/**
 * Fills a request with its defaults. `struct_size` is
 * `sizeof(zerohop_embedding_request)`. Does nothing for NULL.
 *
 * Any thread.
 */
void zerohop_embedding_request_init(struct zerohop_embedding_request *request, size_t struct_size);

/**
 * The number of numbers in a model's vectors, for the memory that
 * `zerohop_embeddings` needs.
 *
 * Any thread, also while others use the engine.
 *
 * Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL), `ZEROHOP_NOT_FOUND` (no such
 * model), `ZEROHOP_INVALID_REQUEST` (the model generates text) or `ZEROHOP_CLOSED`.
 */
zerohop_status zerohop_embedding_dimensions(const struct zerohop_engine *engine,
                                            const char *model,
                                            size_t model_len,
                                            size_t *out,
                                            struct zerohop_error **out_err);

/**
 * Turns texts into vectors of length 1 and writes them into the caller's memory:
 * that of text `i` begins at `out[i * dimensions]`, where `dimensions` is the
 * request's, or else what `zerohop_embedding_dimensions` says. Texts that mean
 * similar things have similar vectors: their dot product is near 1. Blocks until all
 * are there.
 *
 * `out` has room for `capacity` floats; what is beyond the vectors stays as it is.
 * After a failure, what the vectors' place holds is unspecified. No text is cut off:
 * one that is longer than the model takes is an error.
 *
 * Any thread, also while others use the engine: the texts of all callers are
 * computed together. `out` must be nobody else's during the call.
 * `zerohop_engine_close` ends it.
 *
 * Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL, `out` is too small),
 * `ZEROHOP_NOT_FOUND` (no such model), `ZEROHOP_INVALID_REQUEST` (the error's param
 * names the text as `input[3]`, or `model` or `dimensions`), `ZEROHOP_RATE_LIMIT`
 * (the queue is full) or `ZEROHOP_CLOSED`.
 */
zerohop_status zerohop_embeddings(const struct zerohop_engine *engine,
                                  const struct zerohop_embedding_request *request,
                                  float *out,
                                  size_t capacity,
                                  struct zerohop_error **out_err);

/**
 * Fills a request with its defaults. `struct_size` is
 * `sizeof(zerohop_transcription_request)`. Does nothing for NULL.
 *
 * Any thread.
 */
void zerohop_transcription_request_init(struct zerohop_transcription_request *request, size_t struct_size);

/**
 * Writes down speech. Blocks until all of it was heard or, with `stream`, until the
 * stream has begun.
 *
 * `*out` receives a response as `zerohop_send` gives it for
 * `/v1/audio/transcriptions` or `/v1/audio/translations`, which
 * `zerohop_response_free` frees: its body is in the format asked for, or with a status
 * of 400 or more an error as JSON.
 *
 * Any thread, also while others use the engine: callers take turns, 30 seconds of
 * audio each.
 *
 * Returns `ZEROHOP_CANCELLED` if the request's token was used. Fails with
 * `ZEROHOP_INVALID_ARGUMENT` (a NULL, both or none of `path` and `audio`, a file that
 * cannot be read, an unknown format), `ZEROHOP_INVALID_REQUEST` (what the API does not
 * allow, such as a `temperature` above 1) or `ZEROHOP_CLOSED`.
 */
zerohop_status zerohop_transcribe(const struct zerohop_engine *engine,
                                  const struct zerohop_transcription_request *request,
                                  struct zerohop_response **out,
                                  struct zerohop_error **out_err);

/**
 * Fills callbacks with their defaults. `struct_size` is `sizeof(zerohop_callbacks)`.
 * Does nothing for NULL.
 *
 * Any thread.
 */
void zerohop_callbacks_init(struct zerohop_callbacks *callbacks, size_t struct_size);

/**
 * Sends a request without waiting: its reply comes to callbacks. For event loops
 * and other programs that must not block; needs no thread for each request.
 *
 * With `ZEROHOP_OK`, `on_done` is called exactly once, whatever becomes of the
 * request: also when it is refused, cancelled, or the engine is closed or freed.
 * With any other result nothing was begun and no callback is called, so that
 * `user_data` is still the caller's. The request's token cancels it, as does
 * `on_event` by returning false.
 *
 * All callbacks of an engine are called on one thread of its own, one after the
 * other, never in this call. Those of one request come in order. A callback that
 * takes long holds up the others, but not computing. It may call the library, also
 * `zerohop_submit`, `zerohop_engine_close` and `zerohop_engine_free`; not wait for
 * another callback, nor call `zerohop_send`, which holds up the others until it
 * returns. It must not throw, `longjmp` or end its thread.
 *
 * Any thread, also while others use the engine.
 *
 * Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL, no `on_done`, a text that is no
 * method, path or header), `ZEROHOP_CLOSED` or `ZEROHOP_UNAVAILABLE` (no thread can be
 * started).
 */
zerohop_status zerohop_submit(const struct zerohop_engine *engine,
                              const struct zerohop_request *request,
                              const struct zerohop_callbacks *callbacks,
                              struct zerohop_error **out_err);

/**
 * Makes a token. Free it with `zerohop_cancel_token_free`.
 *
 * Any thread. Never NULL.
 */
struct zerohop_cancel_token *zerohop_cancel_token_new(void);

/**
 * Makes a second handle to the same token, for an owner of its own: cancelling
 * one cancels both, and each is freed by itself. NULL for NULL.
 *
 * Any thread, also while others use the token.
 */
struct zerohop_cancel_token *zerohop_cancel_token_clone(const struct zerohop_cancel_token *token);

/**
 * Cancels every request that was or will be given this token. Blocked calls
 * return `ZEROHOP_CANCELLED`; a reply that is complete already is still handed
 * out. The engine stops computing at its next step. NULL is ignored, and so is
 * doing it again.
 *
 * Any thread, also while others use the token. Takes a lock for a moment, so do
 * not call it from a signal handler.
 */
void zerohop_cancel_token_cancel(const struct zerohop_cancel_token *token);

/**
 * Whether `zerohop_cancel_token_cancel` was called; false for NULL.
 *
 * Any thread, also while others use the token.
 */
bool zerohop_cancel_token_is_cancelled(const struct zerohop_cancel_token *token);

/**
 * Frees one handle of a token. Requests that were given it run on, and can still
 * be cancelled through its other handles. NULL is ignored.
 *
 * Any thread, once per handle, when no other thread uses this handle.
 */
void zerohop_cancel_token_free(struct zerohop_cancel_token *token);

/**
 * Lists the devices that this build can compute on, the host's processor among
 * them. `*out` receives a list that `zerohop_device_list_free` frees.
 *
 * Any thread.
 *
 * Fails with `ZEROHOP_INVALID_ARGUMENT`: a NULL, or a processor that is too old for
 * this build.
 */
zerohop_status zerohop_device_list_new(struct zerohop_device_list **out, struct zerohop_error **out_err);

/**
 * The number of devices; 0 for NULL.
 *
 * Any thread.
 */
size_t zerohop_device_list_count(const struct zerohop_device_list *list);

/**
 * Describes a device by its index. `*out` is filled as far as `struct_size`, which
 * is `sizeof(zerohop_device)`.
 *
 * Any thread. The texts are valid until the list is freed.
 *
 * Fails with `ZEROHOP_INVALID_ARGUMENT`: a NULL, no such index, no size of a
 * struct.
 */
zerohop_status zerohop_device_list_get(const struct zerohop_device_list *list,
                                       size_t index,
                                       struct zerohop_device *out,
                                       size_t struct_size,
                                       struct zerohop_error **out_err);

/**
 * Frees a list and the texts that came from it. NULL is ignored.
 *
 * Any thread, once, when no other thread uses the list.
 */
void zerohop_device_list_free(struct zerohop_device_list *list);

/**
 * Sets where this process's logs of zerohop go: messages of `level` and those that
 * matter more. NULL for `callback` switches them off, which is how they begin.
 *
 * When it returns, the callback that was set before is not running and will not be
 * called again, so that its `user_data` may go.
 *
 * Any thread, but not from a log callback.
 *
 * Fails with `ZEROHOP_INVALID_ARGUMENT`: a level that is none, or called from a log
 * callback. (And with `ZEROHOP_INTERNAL` in a Rust program that has linked cargo's own
 * static library, not the installed one, and has set a `tracing` subscriber.)
 */
zerohop_status zerohop_log_set_callback(void *user_data,
                                        zerohop_log_callback callback,
                                        zerohop_log_level level,
                                        struct zerohop_error **out_err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ZEROHOP_H */
