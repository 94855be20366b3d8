/* Asks for an object that follows a JSON schema: schema MODEL.gguf */
#include "example.h"

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  zerohop_engine *engine = load(argv[1]);
  zerohop_response *reply = send_chat(
      engine,
      "{\"model\": \"chat\", \"temperature\": 0, \"max_completion_tokens\": 100, \"messages\": ["
      "{\"role\": \"user\", \"content\": \"Describe the city of Paris.\"}],"
      "\"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"city\", \"strict\": true,"
      "\"schema\": {\"type\": \"object\", \"properties\": {"
      "\"name\": {\"type\": \"string\", \"maxLength\": 30}, \"continent\": {\"enum\": [\"Africa\", \"Asia\", \"Europe\"]},"
      "\"capital\": {\"type\": \"boolean\"}},"
      "\"required\": [\"name\", \"continent\", \"capital\"], \"additionalProperties\": false}}}}");
  const char *city = zerohop_response_text(reply).data;
  const char *name = json_get(city, "name");
  if (name == NULL) return 1;
  char *text = json_text(name);
  printf("the schema holds: %s\nname: %s\n", city, text);
  free(text);
  zerohop_response_free(reply);
  zerohop_engine_free(engine);
  return 0;
}
