/*
 * zerohop for C++17 and later: zerohop.h with owners, exceptions and range-for.
 *
 * Nothing to link beside what zerohop.h needs. JSON goes in and comes out as text, for
 * whichever JSON library a program has.
 *
 *   #include <iostream>
 *   #include <zerohop.hpp>
 *
 *   int main(int argc, char **argv) try {
 *     if (argc < 2) return 2;
 *     zerohop::Engine engine(zerohop::Model("chat", argv[1]));
 *     zerohop::Response reply = engine.post("/v1/chat/completions", R"({
 *       "model": "chat", "stream": true, "temperature": 0, "max_completion_tokens": 64,
 *       "messages": [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
 *     })");
 *     for (const zerohop::Event &event : reply.events()) std::cout << event.text() << std::flush;
 *     std::cout << "\n";
 *   } catch (const zerohop::Error &error) {
 *     std::cerr << error.what() << "\n";
 *     return 1;
 *   }
 *
 * Errors: whatever zerohop.h calls a failure throws Error, and so does a cancelled call
 * (Error::cancelled). What a hosted API would answer, a 400 or a 429 too, is a Response.
 *
 * Threads, lifetimes: as zerohop.h has them. A const member function may be called by
 * several threads at once, the others by one at a time. Every owner can be moved and
 * not copied; one that was moved from may only be destroyed or assigned to. Texts are
 * views into the object they came from.
 */
#ifndef ZEROHOP_HPP
#define ZEROHOP_HPP

#include <zerohop.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zerohop {

namespace detail {

inline zerohop_str str(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

inline std::string_view view(zerohop_str text) noexcept {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.len);
}

inline std::string string(const char *text) {
  return text == nullptr ? std::string() : std::string(text);
}

template <typename T, void (*free)(T *)>
struct Free {
  void operator()(T *handle) const noexcept { free(handle); }
};

template <typename T, void (*free)(T *)>
using Handle = std::unique_ptr<T, Free<T, free>>;

}  // namespace detail

/* Why a call failed. Holds copies only. */
class Error : public std::runtime_error {
 public:
  /* Takes over an error of the C functions; it may be NULL. */
  Error(zerohop_status status, zerohop_error *error)
      : Error(status, detail::Handle<zerohop_error, zerohop_error_free>(error)) {}

  /* What the C function returned, such as ZEROHOP_CLOSED. */
  zerohop_status status() const noexcept { return status_; }
  /* The HTTP status with which a hosted API would report this; 0 where there is none. */
  int http_status() const noexcept { return http_status_; }
  /* The family of the error, such as "invalid_request_error". */
  const std::string &type() const noexcept { return type_; }
  /* The argument or option at fault; empty if there is none. */
  const std::string &param() const noexcept { return param_; }
  /* The API's stable word for the error; empty if there is none. */
  const std::string &code() const noexcept { return code_; }
  /* Whether the caller cancelled the call. */
  bool cancelled() const noexcept { return status_ == ZEROHOP_CANCELLED; }

 private:
  Error(zerohop_status status, detail::Handle<zerohop_error, zerohop_error_free> error)
      : std::runtime_error(error ? zerohop_error_message(error.get()) : zerohop_status_name(status)),
        status_(status),
        http_status_(zerohop_error_http_status(error.get())),
        type_(detail::string(zerohop_error_type(error.get()))),
        param_(detail::string(zerohop_error_param(error.get()))),
        code_(detail::string(zerohop_error_code(error.get()))) {}

  zerohop_status status_;
  int http_status_;
  std::string type_;
  std::string param_;
  std::string code_;
};

namespace detail {

/* Throws unless the call came to ZEROHOP_OK. The error is taken by reference because the call writes it. */
inline void check(zerohop_status status, zerohop_error *const &error) {
  if (status != ZEROHOP_OK) throw Error(status, error);
}

}  // namespace detail

/* The version of the library and of the llama.cpp inside it. */
inline std::string_view version() noexcept {
  return zerohop_version();
}

/* This build and the machine that it runs on, as JSON. */
inline std::string_view system_info() noexcept {
  return zerohop_system_info();
}

/* Whether the library has a feature, such as "chat". */
inline bool has_feature(std::string_view name) noexcept {
  return zerohop_has_feature(name.data(), name.size());
}

/* A device that the library can compute on. */
struct Device {
  std::string name;
  std::string description;
  zerohop_device_kind kind;
  std::uint64_t memory_total;
  std::uint64_t memory_free;
};

inline std::vector<Device> devices() {
  zerohop_device_list *made = nullptr;
  zerohop_error *error = nullptr;
  detail::check(zerohop_device_list_new(&made, &error), error);
  detail::Handle<zerohop_device_list, zerohop_device_list_free> list(made);
  std::vector<Device> devices;
  for (std::size_t index = 0; index < zerohop_device_list_count(list.get()); index++) {
    zerohop_device device;
    detail::check(zerohop_device_list_get(list.get(), index, &device, sizeof device, &error), error);
    devices.push_back({std::string(detail::view(device.name)), std::string(detail::view(device.description)),
                       device.kind, device.memory_total, device.memory_free});
  }
  return devices;
}

/* Cancels requests from any thread. Requests that were given it do not need it to stay. */
class CancelToken {
 public:
  CancelToken() : handle_(zerohop_cancel_token_new()) {
    if (!handle_) throw std::bad_alloc();
  }

  void cancel() const noexcept { zerohop_cancel_token_cancel(handle_.get()); }
  bool is_cancelled() const noexcept { return zerohop_cancel_token_is_cancelled(handle_.get()); }
  /* A second handle to the same token. */
  CancelToken clone() const { return CancelToken(zerohop_cancel_token_clone(handle_.get())); }

  zerohop_cancel_token *get() const noexcept { return handle_.get(); }

 private:
  explicit CancelToken(zerohop_cancel_token *handle) : handle_(handle) {
    if (!handle_) throw std::bad_alloc();
  }

  detail::Handle<zerohop_cancel_token, zerohop_cancel_token_free> handle_;
};

/* An event of a stream: valid until the next one is asked for. */
class Event {
 public:
  Event(zerohop_response *response, zerohop_str json) noexcept : response_(response), json_(json) {}

  /* The chunk's JSON. */
  std::string_view json() const noexcept { return detail::view(json_); }
  /* The piece of the answer's text in it; empty if it has none. */
  std::string_view text() const noexcept { return detail::view(zerohop_response_text(response_)); }

 private:
  zerohop_response *response_;
  zerohop_str json_;
};

/* The events of a stream, once. */
class Events {
 public:
  struct End {};

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Event;
    using difference_type = std::ptrdiff_t;
    using pointer = const Event *;
    using reference = const Event &;

    explicit Iterator(zerohop_response *response) : response_(response) { ++*this; }

    const Event &operator*() const noexcept { return *event_; }
    const Event *operator->() const noexcept { return &*event_; }
    Iterator &operator++() {
      zerohop_str json{};
      zerohop_error *error = nullptr;
      zerohop_status status = zerohop_response_next(response_, &json, &error);
      event_.reset();
      if (status == ZEROHOP_END) return *this;
      detail::check(status, error);
      event_.emplace(response_, json);
      return *this;
    }
    void operator++(int) { ++*this; }

    friend bool operator==(const Iterator &it, End) noexcept { return !it.event_; }
    friend bool operator!=(const Iterator &it, End end) noexcept { return !(it == end); }

   private:
    zerohop_response *response_;
    std::optional<Event> event_;
  };

  explicit Events(zerohop_response *response) noexcept : response_(response) {}

  /* Waits for the first event. */
  Iterator begin() const { return Iterator(response_); }
  End end() const noexcept { return {}; }

 private:
  zerohop_response *response_;
};

/* A reply: status, headers, and a whole body or a stream of events. */
class Response {
 public:
  /* Takes over a response of the C functions. */
  explicit Response(zerohop_response *handle) noexcept : handle_(handle) {}

  /* The HTTP status. */
  int status() const noexcept { return zerohop_response_status(handle_.get()); }
  /* Whether the status is one of success. */
  bool ok() const noexcept { return status() >= 200 && status() < 300; }
  /* A header, its name in any case. */
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    const char *value = zerohop_response_header(handle_.get(), name.data(), name.size());
    return value == nullptr ? std::nullopt : std::optional<std::string_view>(value);
  }
  /* All headers, their names in lower case. */
  std::vector<std::pair<std::string_view, std::string_view>> headers() const {
    std::vector<std::pair<std::string_view, std::string_view>> headers;
    for (std::size_t index = 0; index < zerohop_response_header_count(handle_.get()); index++) {
      zerohop_header header = zerohop_response_header_at(handle_.get(), index);
      headers.emplace_back(detail::view(header.name), detail::view(header.value));
    }
    return headers;
  }
  /* The whole body; empty for a stream. */
  std::string_view body() const noexcept { return detail::view(zerohop_response_body(handle_.get())); }
  /* The text of the whole answer, without a JSON parser; empty if there is none. */
  std::string_view text() noexcept { return detail::view(zerohop_response_text(handle_.get())); }

  bool is_stream() const noexcept { return zerohop_response_is_stream(handle_.get()); }
  /* The events, for range-for. Throws, when it begins, if the reply is no stream: a refusal is not. */
  Events events() noexcept { return Events(handle_.get()); }
  /* The next event within a time: ZEROHOP_OK, ZEROHOP_TIMEOUT, ZEROHOP_END, or ZEROHOP_CANCELLED. */
  zerohop_status next_for(std::chrono::milliseconds timeout, std::optional<Event> &event) {
    zerohop_str json{};
    zerohop_error *error = nullptr;
    std::uint64_t milliseconds = timeout.count() > 0 ? static_cast<std::uint64_t>(timeout.count()) : 0;
    zerohop_status status = zerohop_response_next_timeout(handle_.get(), milliseconds, &json, &error);
    if (status < ZEROHOP_OK) throw Error(status, error);
    /* A time that has passed leaves the event before as it is. */
    if (status == ZEROHOP_OK) {
      event.emplace(handle_.get(), json);
    } else if (status != ZEROHOP_TIMEOUT) {
      event.reset();
    }
    return status;
  }
  /* Stops a stream, also one that another thread reads. */
  void cancel() const noexcept { zerohop_response_cancel(handle_.get()); }

  zerohop_response *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<zerohop_response, zerohop_response_free> handle_;
};

/* A LoRA adapter, and how strongly it is applied: 1 as it was trained, 0 not at all. */
struct Adapter {
  std::string path;
  float scale = 1;
};

/* A model to load. The defaults are zerohop.h's. */
struct Model {
  Model(std::string name_, std::string path_) : name(std::move(name_)), path(std::move(path_)) {}

  std::string name;
  std::string path;
  std::uint32_t context_length = 0;
  std::uint32_t threads = 0;
  std::int32_t gpu_layers = ZEROHOP_GPU_LAYERS_AUTO;
  std::uint32_t parallel = 0;
  std::uint32_t queue = 0;
  zerohop_kv_type kv_type = ZEROHOP_KV_TYPE_F16;
  bool use_mmap = true;
  std::string chat_template;
  std::vector<std::string> aliases;
  /* Whether the model is loaded for its first request, and unloaded when its memory is needed. */
  bool lazy = false;
  /* Whether what was computed stays in the KV cache for requests that begin alike. */
  bool prefix_cache = true;
  /* Whether tokens that came before are drafted where they come again. */
  bool speculation = true;
  /* Models over the same file share its weights: see zerohop_model_options. */
  std::vector<Adapter> adapters;
  /* The projector with which the model sees or hears; empty for the one beside the model, if any. */
  std::string projector;
  /* A folder whose images requests may name with file: URLs; empty for none. */
  std::string media_folder;
  /* Fetches the images of http(s) URLs; see zerohop_fetch_callback. */
  zerohop_fetch_callback media_fetcher = nullptr;
  void *media_fetcher_user_data = nullptr;
  /* The most tokens that an image has; 0 for the projector's own. */
  std::uint32_t image_max_tokens = 0;
  /* A smaller model with the same vocabulary that drafts what this one will say; empty for none. */
  std::string draft_model;
  /* A folder in which the prefix cache is saved; empty for none. */
  std::string prefix_cache_folder;
  /* The GPUs to use, by name; empty for all. */
  std::vector<std::string> devices;
  /* How much each of them gets, in any unit; empty for a split by free memory. */
  std::vector<float> tensor_split;
  /* Bytes that stay free on each device; 0 for 1 GiB. */
  std::uint64_t gpu_margin = 0;
  /* Layers, counted from the first, whose experts stay on the CPU. */
  std::uint32_t cpu_moe_layers = 0;
  zerohop_flash_attention flash_attention = ZEROHOP_FLASH_ATTENTION_AUTO;
  /* Told the loaded fraction; returns false to stop. What it throws comes out of Engine's constructor, or
     of load. */
  std::function<bool(float)> progress;
};

/* Who may send requests, how many, and how much memory there is. The defaults are zerohop.h's: no limits. */
struct Limits {
  /* Requests then need a header {"authorization", "Bearer KEY"}. */
  std::vector<std::string> api_keys = {};
  /* For each key, or in all without keys; 0 for no limit. */
  std::uint32_t requests_per_minute = 0;
  std::uint32_t tokens_per_minute = 0;
  /* How long each request may take; 0 for no limit. */
  std::chrono::milliseconds timeout{0};
  /* The bytes that all models together may take, by estimate; 0 for no limit but the system's. */
  std::uint64_t memory_budget = 0;
};

/* Where an engine computes: with `process`, in a worker process, so that native code that fails does not
   end this one; see ZEROHOP_ISOLATION_PROCESS. `worker` is the program to start; by default `zerohop`
   beside this program or in PATH. */
struct Isolation {
  bool process = false;
  std::string worker = {};
};

/* What a model is. The texts are valid as long as the engine. */
struct ModelInfo {
  std::string_view id;
  std::string_view path;
  std::string_view architecture;
  std::string_view name;
  std::string_view quantization;
  std::vector<std::string_view> aliases;
  std::uint64_t file_size;
  std::uint64_t parameters;
  std::uint64_t created;
  std::uint64_t vocabulary_size;
  std::uint32_t trained_context_length;
  std::uint32_t context_length;
  bool has_chat_template;
  bool loaded;
  std::vector<std::pair<std::string_view, float>> adapters;
  /* What of the model lies where: see zerohop_model_info. The names are valid as long as the engine. */
  std::vector<zerohop_placement> placements;
  /* Why answers may depend on what else is computed; empty where they do not: see zerohop_model_info. */
  std::string_view batch_variance;
};

/* What to send. Texts and the token need to stay only for the call. */
struct Request {
  std::string_view path;
  std::string_view body;
  std::string_view method = "POST";
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string_view, std::string_view>> headers = {};
  const CancelToken *cancel = nullptr;
};

/* Speech to write down: see zerohop_transcription_request. Either a path or audio in memory. */
struct Speech {
  std::string_view model;
  std::string_view path{};
  const void *audio = nullptr;
  std::size_t audio_size = 0;
  std::string_view language{};
  std::string_view prompt{};
  zerohop_audio_format format = ZEROHOP_AUDIO_FORMAT_JSON;
  float temperature = 0;
  bool words = false;
  bool segments = false;
  bool translate = false;
  bool stream = false;
  const CancelToken *cancel = nullptr;
};

/* Vectors of one length, one after another. */
struct Vectors {
  std::vector<float> values;
  std::size_t dimensions;

  std::size_t size() const noexcept { return dimensions == 0 ? 0 : values.size() / dimensions; }
  /* The first of the vector's numbers; there are `dimensions` of them. */
  const float *operator[](std::size_t index) const noexcept { return values.data() + index * dimensions; }
};

/* How a request of Engine::submit ended. */
struct Completion {
  /* ZEROHOP_OK, ZEROHOP_CANCELLED or a failure. */
  zerohop_status status;
  /* The whole reply, or the stream that has ended. */
  std::optional<Response> response;
  /* Why it failed. */
  std::optional<Error> error;
  /* What on_event threw, which cancelled the request. */
  std::exception_ptr exception;
};

/* Models in memory, ready for requests of any number of threads. */
class Engine {
 public:
  explicit Engine(const Model &model, const Limits &limits = {}, const Isolation &isolation = {})
      : Engine(&model, 1, limits, isolation) {}
  explicit Engine(const std::vector<Model> &models, const Limits &limits = {},
                  const Isolation &isolation = {})
      : Engine(models.data(), models.size(), limits, isolation) {}

  /* Sends a request and waits for the reply, or for the beginning of a stream. */
  Response send(const Request &request) const {
    zerohop_response *response = nullptr;
    zerohop_error *error = nullptr;
    with_c_request(request, [&](const zerohop_request &c_request) {
      detail::check(zerohop_send(handle_.get(), &c_request, &response, &error), error);
    });
    return Response(response);
  }
  Response post(std::string_view path, std::string_view body, const CancelToken *cancel = nullptr) const {
    Request request{path, body};
    request.cancel = cancel;
    return send(request);
  }
  Response get(std::string_view path) const {
    Request request{path, {}};
    request.method = "GET";
    return send(request);
  }

  /* Sends a request without waiting. on_done is called exactly once, unless this throws. on_event is called
     for each event of a stream and returns false to cancel. Both run on the engine's thread for callbacks:
     see zerohop_submit. on_done must not throw. */
  void submit(const Request &request, std::function<bool(const Event &)> on_event,
              std::function<void(Completion)> on_done) const {
    auto sink = std::make_unique<Sink>(Sink{std::move(on_event), std::move(on_done), nullptr});
    zerohop_callbacks callbacks;
    zerohop_callbacks_init(&callbacks, sizeof callbacks);
    callbacks.user_data = sink.get();
    callbacks.on_event = Sink::event;
    callbacks.on_done = Sink::done;
    zerohop_error *error = nullptr;
    with_c_request(request, [&](const zerohop_request &c_request) {
      detail::check(zerohop_submit(handle_.get(), &c_request, &callbacks, &error), error);
    });
    /* Sink::done frees it, maybe already. */
    static_cast<void>(sink.release());
  }

  /* Adds a model while the engine runs: see zerohop_engine_load. */
  void load(const Model &model) const {
    zerohop_model_options c_model;
    Arrays arrays;
    Progress progress{};
    fill(model, c_model, arrays, progress);
    zerohop_error *error = nullptr;
    zerohop_status status = zerohop_engine_load(handle_.get(), &c_model, &error);
    progress.check(error);
    detail::check(status, error);
  }

  /* Unloads the model of this name or alias and forgets it: see zerohop_engine_unload. */
  void unload(std::string_view name) const {
    zerohop_error *error = nullptr;
    detail::check(zerohop_engine_unload(handle_.get(), detail::str(name), &error), error);
  }

  std::vector<ModelInfo> models() const {
    std::vector<ModelInfo> models;
    for (std::size_t index = 0; index < zerohop_engine_model_count(handle_.get()); index++) {
      zerohop_model_info info;
      zerohop_error *error = nullptr;
      detail::check(zerohop_engine_model_info(handle_.get(), index, &info, sizeof info, &error), error);
      ModelInfo model{detail::view(info.id),
                      detail::view(info.path),
                      detail::view(info.architecture),
                      detail::view(info.name),
                      detail::view(info.quantization),
                      {},
                      info.file_size,
                      info.parameters,
                      info.created,
                      info.vocabulary_size,
                      info.trained_context_length,
                      info.context_length,
                      info.has_chat_template,
                      info.loaded,
                      {},
                      {},
                      detail::view(info.batch_variance)};
      for (std::size_t alias = 0; alias < info.alias_count; alias++) {
        model.aliases.push_back(detail::view(info.aliases[alias]));
      }
      for (std::size_t adapter = 0; adapter < info.adapter_count; adapter++) {
        model.adapters.emplace_back(detail::view(info.adapters[adapter].path), info.adapters[adapter].scale);
      }
      model.placements.assign(info.placements, info.placements + info.placement_count);
      models.push_back(std::move(model));
    }
    return models;
  }

  /* Refuses new requests, lets those that have begun end within a time, then closes. Whether all did. */
  bool drain(std::chrono::milliseconds timeout) const {
    zerohop_error *error = nullptr;
    std::uint64_t milliseconds = timeout.count() > 0 ? static_cast<std::uint64_t>(timeout.count()) : 0;
    zerohop_status status = zerohop_engine_drain(handle_.get(), milliseconds, &error);
    if (status < ZEROHOP_OK) throw Error(status, error);
    return status == ZEROHOP_OK;
  }
  /* The number of numbers in a model's vectors. */
  std::size_t embedding_dimensions(std::string_view model) const {
    std::size_t dimensions = 0;
    zerohop_error *error = nullptr;
    detail::check(zerohop_embedding_dimensions(handle_.get(), model.data(), model.size(), &dimensions, &error), error);
    return dimensions;
  }
  /* Turns texts into vectors of length 1; `dimensions` keeps the first so many numbers of each, 0 all. */
  Vectors embeddings(std::string_view model, const std::vector<std::string_view> &texts,
                     std::uint32_t dimensions = 0) const {
    std::size_t width = dimensions == 0 ? embedding_dimensions(model) : dimensions;
    Vectors vectors{std::vector<float>(texts.size() * width), width};
    embeddings(model, texts, vectors.values.data(), vectors.values.size(), dimensions);
    return vectors;
  }
  /* The same, into memory of the caller's with room for `capacity` floats: see zerohop_embeddings. */
  void embeddings(std::string_view model, const std::vector<std::string_view> &texts, float *out,
                  std::size_t capacity, std::uint32_t dimensions = 0) const {
    std::vector<zerohop_str> c_texts;
    c_texts.reserve(texts.size());
    for (std::string_view text : texts) c_texts.push_back(detail::str(text));
    zerohop_embedding_request request;
    zerohop_embedding_request_init(&request, sizeof request);
    request.model = detail::str(model);
    request.texts = c_texts.data();
    request.text_count = c_texts.size();
    request.dimensions = dimensions;
    zerohop_error *error = nullptr;
    detail::check(zerohop_embeddings(handle_.get(), &request, out, capacity, &error), error);
  }

  /* Writes down speech: see zerohop_transcribe. */
  Response transcribe(const Speech &speech) const {
    zerohop_transcription_request request;
    zerohop_transcription_request_init(&request, sizeof request);
    request.model = detail::str(speech.model);
    request.path = detail::str(speech.path);
    request.audio = speech.audio;
    request.audio_size = speech.audio_size;
    request.language = detail::str(speech.language);
    request.prompt = detail::str(speech.prompt);
    request.format = speech.format;
    request.temperature = speech.temperature;
    request.words = speech.words;
    request.segments = speech.segments;
    request.translate = speech.translate;
    request.stream = speech.stream;
    request.cancel = speech.cancel == nullptr ? nullptr : speech.cancel->get();
    zerohop_response *response = nullptr;
    zerohop_error *error = nullptr;
    detail::check(zerohop_transcribe(handle_.get(), &request, &response, &error), error);
    return Response(response);
  }

  /* Ends all requests and unloads the models. */
  void close() const noexcept { zerohop_engine_close(handle_.get()); }

  zerohop_engine *get() const noexcept { return handle_.get(); }

 private:
  struct Progress {
    const std::function<bool(float)> *callback;
    std::exception_ptr exception;

    static bool call(void *user_data, float fraction) noexcept {
      auto *self = static_cast<Progress *>(user_data);
      try {
        return (*self->callback)(fraction);
      } catch (...) {
        self->exception = std::current_exception();
        return false;
      }
    }

    /* Throws what the callback has thrown, in place of the error that came of it. */
    void check(zerohop_error *error) const {
      if (!exception) return;
      zerohop_error_free(error);
      std::rethrow_exception(exception);
    }
  };

  /* The arrays that a model's options point to. */
  struct Arrays {
    std::vector<zerohop_str> aliases;
    std::vector<zerohop_adapter> adapters;
    std::vector<zerohop_str> devices;
  };

  /* Writes a model's options for the C library; the others are what they point to. */
  static void fill(const Model &model, zerohop_model_options &c_model, Arrays &arrays, Progress &progress) {
    zerohop_model_options_init(&c_model, sizeof c_model);
    c_model.name = detail::str(model.name);
    c_model.path = detail::str(model.path);
    c_model.context_length = model.context_length;
    c_model.threads = model.threads;
    c_model.gpu_layers = model.gpu_layers;
    c_model.parallel = model.parallel;
    c_model.queue = model.queue;
    c_model.kv_type = model.kv_type;
    c_model.use_mmap = model.use_mmap;
    c_model.lazy = model.lazy;
    c_model.prefix_cache = model.prefix_cache;
    c_model.speculation = model.speculation;
    c_model.chat_template = detail::str(model.chat_template);
    for (const std::string &alias : model.aliases) arrays.aliases.push_back(detail::str(alias));
    c_model.aliases = arrays.aliases.data();
    c_model.alias_count = arrays.aliases.size();
    for (const Adapter &adapter : model.adapters) {
      arrays.adapters.push_back(zerohop_adapter{detail::str(adapter.path), adapter.scale});
    }
    c_model.adapters = arrays.adapters.data();
    c_model.adapter_count = arrays.adapters.size();
    c_model.projector = detail::str(model.projector);
    c_model.media_folder = detail::str(model.media_folder);
    c_model.media_fetcher = model.media_fetcher;
    c_model.media_fetcher_user_data = model.media_fetcher_user_data;
    c_model.image_max_tokens = model.image_max_tokens;
    c_model.draft_model = detail::str(model.draft_model);
    c_model.prefix_cache_folder = detail::str(model.prefix_cache_folder);
    for (const std::string &device : model.devices) arrays.devices.push_back(detail::str(device));
    c_model.devices = arrays.devices.data();
    c_model.device_count = arrays.devices.size();
    c_model.tensor_split = model.tensor_split.data();
    c_model.tensor_split_count = model.tensor_split.size();
    c_model.gpu_margin = model.gpu_margin;
    c_model.cpu_moe_layers = model.cpu_moe_layers;
    c_model.flash_attention = model.flash_attention;
    if (model.progress) {
      progress.callback = &model.progress;
      c_model.progress_user_data = &progress;
      c_model.progress = Progress::call;
    }
  }

  struct Sink {
    std::function<bool(const Event &)> on_event;
    std::function<void(Completion)> on_done;
    std::exception_ptr exception;

    static bool event(void *user_data, zerohop_response *response, zerohop_str json) noexcept {
      auto *self = static_cast<Sink *>(user_data);
      try {
        return !self->on_event || self->on_event(Event(response, json));
      } catch (...) {
        self->exception = std::current_exception();
        return false;
      }
    }

    static void done(void *user_data, zerohop_status status, zerohop_response *response,
                     zerohop_error *error) noexcept {
      std::unique_ptr<Sink> self(static_cast<Sink *>(user_data));
      Completion completion{status, std::nullopt, std::nullopt, self->exception};
      if (response != nullptr) completion.response.emplace(response);
      if (error != nullptr) completion.error.emplace(status, error);
      if (self->on_done) self->on_done(std::move(completion));
    }
  };

  Engine(const Model *models, std::size_t count, const Limits &limits, const Isolation &isolation) {
    std::vector<zerohop_model_options> c_models(count);
    std::vector<Arrays> arrays(count);
    std::vector<Progress> progress(count);
    for (std::size_t index = 0; index < count; index++)
      fill(models[index], c_models[index], arrays[index], progress[index]);
    zerohop_engine_options options;
    zerohop_engine_options_init(&options, sizeof options);
    options.models = c_models.data();
    options.model_count = count;
    std::vector<zerohop_str> keys;
    for (const std::string &key : limits.api_keys) keys.push_back(detail::str(key));
    options.api_keys = keys.data();
    options.api_key_count = keys.size();
    options.requests_per_minute = limits.requests_per_minute;
    options.tokens_per_minute = limits.tokens_per_minute;
    options.timeout_ms = limits.timeout.count() > 0 ? static_cast<std::uint64_t>(limits.timeout.count()) : 0;
    options.isolation = isolation.process ? ZEROHOP_ISOLATION_PROCESS : ZEROHOP_ISOLATION_NONE;
    options.worker = detail::str(isolation.worker);
    options.memory_budget = limits.memory_budget;
    zerohop_engine *engine = nullptr;
    zerohop_error *error = nullptr;
    zerohop_status status = zerohop_engine_new(&options, &engine, &error);
    handle_.reset(engine);
    for (const Progress &each : progress) each.check(error);
    detail::check(status, error);
  }

  template <typename Call>
  static void with_c_request(const Request &request, Call call) {
    std::vector<zerohop_header> headers;
    headers.reserve(request.headers.size());
    for (const auto &[name, value] : request.headers) headers.push_back({detail::str(name), detail::str(value)});
    zerohop_request c_request;
    zerohop_request_init(&c_request, sizeof c_request);
    c_request.method = detail::str(request.method);
    c_request.path = detail::str(request.path);
    c_request.content_type = detail::str(request.content_type);
    c_request.headers = headers.data();
    c_request.header_count = headers.size();
    c_request.body = detail::str(request.body);
    c_request.cancel = request.cancel == nullptr ? nullptr : request.cancel->get();
    call(c_request);
  }

  detail::Handle<zerohop_engine, zerohop_engine_free> handle_;
};

/* Where this process's logs of zerohop go. While it lives, `callback` gets them; see zerohop_log_set_callback
   for what it may do. It must not throw. One at a time: a second takes the place of the first. */
class Log {
 public:
  using Callback = std::function<void(zerohop_log_level level, const char *target, const char *message)>;

  Log(zerohop_log_level level, Callback callback) : callback_(std::make_unique<Callback>(std::move(callback))) {
    zerohop_error *error = nullptr;
    detail::check(zerohop_log_set_callback(callback_.get(), call, level, &error), error);
  }
  Log(Log &&) noexcept = default;
  Log(const Log &) = delete;
  Log &operator=(Log &&) = delete;
  Log &operator=(const Log &) = delete;
  ~Log() {
    if (callback_) zerohop_log_set_callback(nullptr, nullptr, ZEROHOP_LOG_LEVEL_ERROR, nullptr);
  }

 private:
  static void call(void *user_data, zerohop_log_level level, const char *target, const char *message) noexcept {
    (*static_cast<Callback *>(user_data))(level, target, message);
  }

  std::unique_ptr<Callback> callback_;
};

}  // namespace zerohop

#endif  // ZEROHOP_HPP
