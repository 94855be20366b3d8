/* zerohop.hpp, as C++17 and as C++20. */
#include <zerohop.hpp>

#include <algorithm>
#include <future>
#include <thread>
#include <type_traits>

#include "check.h"

static_assert(std::is_nothrow_move_constructible_v<zerohop::Engine> && !std::is_copy_constructible_v<zerohop::Engine>);
static_assert(std::is_nothrow_move_assignable_v<zerohop::Response> && !std::is_copy_constructible_v<zerohop::Response>);
static_assert(std::is_nothrow_move_constructible_v<zerohop::CancelToken>);
static_assert(!std::is_copy_constructible_v<zerohop::CancelToken> && !std::is_copy_constructible_v<zerohop::Log>);

static zerohop::Model long_model() {
  zerohop::Model model("m", check_model(TINY));
  model.context_length = 100000;
  model.threads = 1;
  return model;
}

static std::unique_ptr<zerohop::Engine> engine;

static constexpr std::string_view PATH = "/v1/chat/completions";

template <typename Call>
static zerohop_status status_of(Call call) {
  try {
    call();
    return ZEROHOP_OK;
  } catch (const zerohop::Error &error) {
    CHECK(error.what()[0] != '\0');
    CHECK(error.cancelled() == (error.status() == ZEROHOP_CANCELLED));
    return error.status();
  }
}

static void a_whole_reply() {
  zerohop::Response reply = engine->post(PATH, CHAT("\"max_tokens\":5"));
  CHECK(reply.ok() && !reply.is_stream());
  CHECK_INT(reply.status(), 200);
  CHECK(reply.body().front() == '{' && reply.body().back() == '}');
  CHECK(reply.body().find(reply.text().substr(0, 1)) != std::string_view::npos && !reply.text().empty());
  CHECK(reply.header("Content-Type") == "application/json");
  CHECK(!reply.header("x-none"));
  CHECK(reply.headers().size() >= 2);
  zerohop::Response moved = std::move(reply);
  CHECK_INT(moved.status(), 200);
}

static void limits_and_draining() {
  zerohop::Limits limits;
  limits.api_keys = {"sk-a"};
  limits.requests_per_minute = 2;
  limits.tokens_per_minute = 200000;
  limits.timeout = std::chrono::milliseconds(100);
  zerohop::Engine limited(long_model(), limits);
  CHECK_INT(limited.post(PATH, CHAT("\"max_tokens\":1")).status(), 401);
  zerohop::Request request{PATH, CHAT("\"max_tokens\":1")};
  request.headers = {{"authorization", "Bearer sk-a"}};
  CHECK(limited.send(request).header("x-ratelimit-remaining-requests") == "1");
  request.body = CHAT_LONG;
  CHECK_INT(limited.send(request).status(), 408);
  CHECK_INT(limited.send(request).status(), 429);
  CHECK(limited.drain(std::chrono::milliseconds(60000)));
  zerohop::Engine cut(long_model());
  zerohop::Response stream = cut.post(PATH, CHAT_LONG_STREAM);
  CHECK(!cut.drain(std::chrono::milliseconds(1)));
}

static void a_stream_is_a_range() {
  std::string whole(engine->post(PATH, CHAT("\"max_tokens\":12")).text());
  zerohop::Response reply = engine->post(PATH, CHAT_STREAM("\"max_tokens\":12"));
  std::string joined;
  int count = 0;
  for (const zerohop::Event &event : reply.events()) {
    CHECK(event.json().front() == '{');
    joined += event.text();
    count++;
  }
  CHECK_STR(joined.c_str(), whole.c_str());
  CHECK(count > 2);
  for (const zerohop::Event &event : reply.events()) CHECK(event.json().empty());
}

static void a_stream_with_a_clock() {
  zerohop::Response reply = engine->post(PATH, CHAT_STREAM("\"max_tokens\":3"));
  std::optional<zerohop::Event> event;
  int count = 0;
  zerohop_status status;
  while ((status = reply.next_for(std::chrono::milliseconds(50), event)) != ZEROHOP_END) {
    if (status == ZEROHOP_OK) count++;
  }
  CHECK(count > 1 && !event);
}

static void a_refusal_is_no_stream() {
  zerohop::Response reply = engine->post(PATH, "{");
  CHECK_INT(reply.status(), 400);
  CHECK(!reply.ok() && reply.text().empty());
  CHECK_INT(status_of([&] { for (const auto &event : reply.events()) static_cast<void>(event); }), ZEROHOP_INVALID_ARGUMENT);
}

static void errors_keep_their_parts() {
  try {
    zerohop::Engine none(zerohop::Model("m", "no-such-file.gguf"));
    CHECK(!"an engine without a file");
  } catch (const zerohop::Error &error) {
    CHECK_INT(error.status(), ZEROHOP_MODEL_FILE);
    CHECK_CONTAINS(error.what(), "no-such-file.gguf");
    CHECK_INT(error.http_status(), 0);
    CHECK_STR(error.type().c_str(), "invalid_request_error");
    CHECK(error.code().empty());
  }
  try {
    engine->post("no/slash", "{}");
    CHECK(!"a path without a slash");
  } catch (const std::runtime_error &error) {
    CHECK_STR(dynamic_cast<const zerohop::Error &>(error).param().c_str(), "path");
  }
}

static void what_progress_throws_comes_out() {
  zerohop::Model model = long_model();
  model.progress = [](float) -> bool { throw std::logic_error("enough"); };
  try {
    zerohop::Engine none(model);
    CHECK(!"an engine that was not wanted");
  } catch (const std::logic_error &error) {
    CHECK_STR(error.what(), "enough");
  }
  model.progress = [](float) { return false; };
  CHECK(status_of([&] { zerohop::Engine none(model); }) != ZEROHOP_OK);
}

static void a_token_cancels() {
  zerohop::CancelToken token;
  std::thread other([mine = token.clone()] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    mine.cancel();
  });
  CHECK_INT(status_of([&] { engine->post(PATH, CHAT_LONG, &token); }), ZEROHOP_CANCELLED);
  other.join();
  CHECK(token.is_cancelled());
  zerohop::Response reply = engine->post(PATH, CHAT_LONG_STREAM);
  CHECK_INT(status_of([&] { for (const auto &event : reply.events()) if (!event.json().empty()) reply.cancel(); }),
            ZEROHOP_CANCELLED);
}

static zerohop::Completion submitted(std::string_view body, std::function<bool(const zerohop::Event &)> on_event) {
  std::promise<zerohop::Completion> promise;
  engine->submit({PATH, body}, std::move(on_event),
                 [&](zerohop::Completion completion) { promise.set_value(std::move(completion)); });
  return promise.get_future().get();
}

static void callbacks_complete() {
  zerohop::Completion whole = submitted(CHAT("\"max_tokens\":4"), nullptr);
  CHECK(whole.status == ZEROHOP_OK && whole.response && whole.response->ok() && !whole.error);
  std::string text;
  zerohop::Completion stream = submitted(CHAT_STREAM("\"max_tokens\":4"), [&](const zerohop::Event &event) {
    text += event.text();
    return true;
  });
  CHECK_INT(stream.status, ZEROHOP_OK);
  CHECK(whole.response->text() == text);
  zerohop::Completion stopped = submitted(CHAT_LONG_STREAM, [](const zerohop::Event &) { return false; });
  CHECK(stopped.status == ZEROHOP_CANCELLED && !stopped.exception);
  zerohop::Completion thrown =
      submitted(CHAT_LONG_STREAM, [](const zerohop::Event &) -> bool { throw std::logic_error("no"); });
  CHECK(thrown.status == ZEROHOP_CANCELLED && thrown.exception != nullptr);
  CHECK_INT(status_of([] { engine->submit({"x", {}}, nullptr, [](zerohop::Completion) {}); }), ZEROHOP_INVALID_ARGUMENT);
}

static void closing_completes() {
  zerohop::Engine own(long_model());
  zerohop::Completion last{ZEROHOP_OK, std::nullopt, std::nullopt, nullptr};
  own.submit({PATH, CHAT_LONG}, nullptr, [&](zerohop::Completion completion) { last = std::move(completion); });
  zerohop::Engine moved = std::move(own);
  moved.close();
  CHECK(last.status == ZEROHOP_CLOSED && last.error && last.error->status() == ZEROHOP_CLOSED);
  CHECK_INT(status_of([&] { moved.get("/v1/models"); }), ZEROHOP_CLOSED);
}

static void what_can_be_asked() {
  CHECK(zerohop::version().find('.') != std::string_view::npos);
  CHECK(zerohop::has_feature("chat") && !zerohop::has_feature("tea"));
  std::vector<zerohop::Device> devices = zerohop::devices();
  CHECK(std::any_of(devices.begin(), devices.end(), [](const zerohop::Device &device) { return device.kind == ZEROHOP_DEVICE_KIND_CPU; }));
  zerohop::Model model = long_model();
  model.aliases = {"a", "b"};
  zerohop::Engine two(std::vector<zerohop::Model>{model, zerohop::Model("n", check_model(TINY))});
  std::vector<zerohop::ModelInfo> models = two.models();
  CHECK(models[0].batch_variance.find("llama.cpp") != std::string_view::npos);
  CHECK(models.size() == 2 && models[0].aliases.size() == 2 && models[0].aliases[1] == "b" && models[1].id == "n");
  CHECK(two.get("/v1/models").body().find("\"b\"") != std::string_view::npos);
}

static void vectors_of_texts() {
  const zerohop::Engine embedder(zerohop::Model("m", check_model("tiny/tiny-embedding-mean.gguf")));
  const zerohop::Vectors vectors = embedder.embeddings("m", {"a cat", "a dog", "a cat"});
  CHECK(vectors.size() == 3 && vectors.dimensions == 64 && embedder.embedding_dimensions("m") == 64);
  CHECK(std::equal(vectors[0], vectors[0] + 64, vectors[2]) && !std::equal(vectors[0], vectors[0] + 64, vectors[1]));
  CHECK(embedder.embeddings("m", {"a cat"}, 5).values.size() == 5);
  std::vector<float> own(64 * 2 - 1);
  const std::vector<std::string_view> two = {"a", "b"};
  CHECK_INT(status_of([&] { embedder.embeddings("m", two, own.data(), own.size()); }), ZEROHOP_INVALID_ARGUMENT);
  CHECK_INT(status_of([&] { embedder.embeddings("m", {}); }), ZEROHOP_INVALID_REQUEST);
  CHECK_INT(status_of([&] { embedder.embeddings("none", two); }), ZEROHOP_NOT_FOUND);
}

static void models_come_and_go() {
  zerohop::Model lazy("m", check_model(TINY));
  lazy.lazy = true;
  zerohop::Limits limits;
  limits.memory_budget = std::uint64_t{1} << 30;
  zerohop::Engine changing(lazy, limits);
  CHECK(!changing.models()[0].loaded);
  CHECK_INT(changing.post(PATH, CHAT("\"max_tokens\":1")).status(), 200);
  CHECK(changing.models()[0].loaded);
  zerohop::Model second("n", check_model(TINY));
  changing.load(second);
  CHECK(changing.models().size() == 2 && changing.models()[1].loaded);
  changing.unload("n");
  CHECK(changing.models().size() == 1);
  zerohop::Model tuned("tuned", check_model(TINY));
  tuned.adapters.push_back({check_model("tiny/tiny-lora.gguf"), 0.5});
  changing.load(tuned);
  const auto adapters = changing.models()[1].adapters;
  CHECK(adapters.size() == 1 && adapters[0].second == 0.5);
  changing.unload("tuned");
  second.progress = [](float) -> bool { throw 7; };
  bool thrown = false;
  try {
    changing.load(second);
  } catch (int number) {
    thrown = number == 7;
  }
  CHECK(thrown && changing.models().size() == 1);
}

static void logs_last_as_long_as_their_owner() {
  int messages = 0;
  {
    zerohop::Log log(ZEROHOP_LOG_LEVEL_TRACE, [&](zerohop_log_level, const char *, const char *) { messages++; });
    zerohop::Log moved = std::move(log);
    zerohop::Engine other(zerohop::Model("m", check_model(TINY)));
  }
  CHECK(messages > 0);
  int before = messages;
  zerohop::Engine other(zerohop::Model("m", check_model(TINY)));
  CHECK_INT(messages, before);
}

int main() {
  engine = std::make_unique<zerohop::Engine>(long_model());
  RUN(a_whole_reply);
  RUN(limits_and_draining);
  RUN(a_stream_is_a_range);
  RUN(a_stream_with_a_clock);
  RUN(a_refusal_is_no_stream);
  RUN(errors_keep_their_parts);
  RUN(what_progress_throws_comes_out);
  RUN(a_token_cancels);
  RUN(callbacks_complete);
  RUN(closing_completes);
  RUN(what_can_be_asked);
  RUN(vectors_of_texts);
  RUN(models_come_and_go);
  RUN(logs_last_as_long_as_their_owner);
  engine.reset();
  return check_finish();
}
