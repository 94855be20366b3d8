// Lets the model call a function and answers with its result: tools MODEL.gguf
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <zerohop.hpp>

#include "../c/json.h"

namespace {

const std::string QUESTION = R"({"role": "user", "content": "What is the weather in Paris?"})";
const std::string OPTIONS = R"(
  "model": "chat", "temperature": 0, "max_completion_tokens": 100, "parallel_tool_calls": false,
  "tools": [{"type": "function", "function": {
    "name": "get_weather", "description": "The weather in a city now", "strict": true,
    "parameters": {
      "type": "object", "properties": {"city": {"type": "string", "maxLength": 20}},
      "required": ["city"], "additionalProperties": false
    }
  }}])";

// What the model may call.
std::string get_weather(const std::string &city) {
  return "It is sunny in " + city + ", 21 degrees.";
}

std::string taken(char *text) {
  const std::unique_ptr<char, void (*)(void *)> owner(text, std::free);
  return text;
}

std::string raw(const char *json) {
  return json == nullptr ? std::string() : std::string(json, json_end(json));
}

zerohop::Response ask(const zerohop::Engine &engine, const std::string &choice, const std::string &messages) {
  zerohop::Response reply = engine.post("/v1/chat/completions", "{" + OPTIONS + R"(, "tool_choice": ")" + choice +
                                                                    R"(", "messages": [)" + messages + "]}");
  if (!reply.ok()) throw std::runtime_error(std::string(reply.body()));
  return reply;
}

}  // namespace

int main(int argc, char **argv) try {
  if (argc < 2) return 2;
  const zerohop::Engine engine(zerohop::Model("chat", argv[1]));

  // First the model says which function it wants to call, and with what.
  const zerohop::Response call = ask(engine, "required", QUESTION);
  const char *message = json_get(json_get(json_get(call.body().data(), "choices"), nullptr), "message");
  const char *tool_call = json_get(json_get(message, "tool_calls"), nullptr);
  const char *function = json_get(tool_call, "function");
  if (function == nullptr) return 1;
  const std::string arguments = taken(json_text(json_get(function, "arguments")));
  std::cout << "the model calls get_weather(" << arguments << ")\n";

  // Then the function is called, and the model gets its own message and the result.
  const std::string city = taken(json_text(json_get(arguments.c_str(), "city")));
  const std::string result = taken(json_string(get_weather(city).c_str()));
  zerohop::Response answer =
      ask(engine, "none",
          QUESTION + ", " + raw(message) + R"(, {"role": "tool", "tool_call_id": )" + raw(json_get(tool_call, "id")) +
              R"(, "content": )" + result + "}");
  std::cout << "the model answers: " << answer.text() << "\n";
} catch (const std::exception &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
