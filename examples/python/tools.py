"""A model that calls Python functions: `python tools.py MODEL.gguf`."""

import json
import sys

import zerohop
from zerohop.types.chat import ChatCompletionMessage

ROUNDS = 2


def get_weather(city: str) -> dict[str, object]:
    return {"city": city, "weather": "sunny", "degrees": 24}


FUNCTIONS = {"get_weather": get_weather}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tells the weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    }
]


def answer(engine: zerohop.Engine, question: str) -> str | None:
    create = engine.chat.completions.create
    messages: list[dict[str, str] | ChatCompletionMessage] = [{"role": "user", "content": question}]
    for _ in range(ROUNDS):
        reply = create(messages=messages, tools=TOOLS, parallel_tool_calls=False, temperature=0)
        message = reply.choices[0].message
        messages.append(message)
        if not message.tool_calls:
            return message.content
        for call in message.tool_calls:
            if call.type == "function":
                result = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
                print(f"{call.function.name}({call.function.arguments}) = {result}")
                content = json.dumps(result)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    # Small models go on calling; this one has no tools any more.
    reply = create(messages=messages, temperature=0, max_completion_tokens=64)
    return reply.choices[0].message.content


with zerohop.Engine(sys.argv[1]) as engine:
    print(answer(engine, "What is the weather in Paris?"))
