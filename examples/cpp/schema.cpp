// Asks for an object that follows a JSON schema: schema MODEL.gguf
#include <iostream>

#include <zerohop.hpp>

int main(int argc, char **argv) try {
  if (argc < 2) return 2;
  const zerohop::Engine engine(zerohop::Model("chat", argv[1]));
  zerohop::Response reply = engine.post("/v1/chat/completions", R"({
    "model": "chat", "temperature": 0, "max_completion_tokens": 100,
    "messages": [{"role": "user", "content": "Describe the city of Paris."}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "city", "strict": true, "schema": {
      "type": "object",
      "properties": {
        "name": {"type": "string", "maxLength": 30},
        "continent": {"enum": ["Africa", "Asia", "Europe"]},
        "capital": {"type": "boolean"}
      },
      "required": ["name", "continent", "capital"], "additionalProperties": false
    }}}
  })");
  std::cout << (reply.ok() ? "the schema holds: " : "refused: ") << (reply.ok() ? reply.text() : reply.body()) << "\n";
  return reply.ok() ? 0 : 1;
} catch (const zerohop::Error &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
