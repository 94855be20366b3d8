/* Lets the model call a function and answers with its result: tools MODEL.gguf */
#include "example.h"

#define QUESTION "{\"role\": \"user\", \"content\": \"What is the weather in Paris?\"}"
#define TOOLS                                                                                       \
  "\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"get_weather\","                  \
  "\"description\": \"The weather in a city now\", \"strict\": true, \"parameters\": {"             \
  "\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\", \"maxLength\": 20}},"    \
  "\"required\": [\"city\"], \"additionalProperties\": false}}}]"
#define LIMITS "\"model\": \"chat\", \"temperature\": 0, \"parallel_tool_calls\": false, \"max_completion_tokens\": 100"

/* What the model may call. */
static void get_weather(const char *city, char *result, size_t size) {
  snprintf(result, size, "It is sunny in %.40s, 21 degrees.", city);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  zerohop_engine *engine = load(argv[1]);

  /* First the model says which function it wants to call, and with what. */
  zerohop_response *reply =
      send_chat(engine, "{" LIMITS ", " TOOLS ", \"tool_choice\": \"required\", \"messages\": [" QUESTION "]}");
  const char *choice = json_get(json_get(zerohop_response_body(reply).data, "choices"), NULL);
  const char *message = json_get(choice, "message");
  const char *call = json_get(json_get(message, "tool_calls"), NULL);
  const char *function = json_get(call, "function");
  if (function == NULL) return 1;
  char *arguments = json_text(json_get(function, "arguments"));
  printf("the model calls get_weather(%s)\n", arguments);

  /* Then the function is called, and the model gets its own message and the result. */
  char *city = json_text(json_get(arguments, "city"));
  char result[128];
  get_weather(city, result, sizeof result);
  char *content = json_string(result);
  const char *id = json_get(call, "id");
  char body[4096];
  snprintf(body, sizeof body,
           "{" LIMITS ", " TOOLS ", \"tool_choice\": \"none\", \"messages\": [" QUESTION ", %.*s, "
           "{\"role\": \"tool\", \"tool_call_id\": %.*s, \"content\": %s}]}",
           (int)(json_end(message) - message), message, (int)(json_end(id) - id), id, content);
  zerohop_response *answer = send_chat(engine, body);
  printf("the model answers: %s\n", zerohop_response_text(answer).data);

  free(content);
  free(city);
  free(arguments);
  zerohop_response_free(answer);
  zerohop_response_free(reply);
  zerohop_engine_free(engine);
  return 0;
}
