"""What a model in this process can do: `python demo.py MODEL.gguf`."""

import sys

import zerohop

WEATHER = {
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

CITY = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "country": {"type": "string"},
        "is_capital": {"type": "boolean"},
    },
    "required": ["city", "country", "is_capital"],
    "additionalProperties": False,
}

with zerohop.Engine(sys.argv[1]) as engine:
    print("A streamed answer:")
    stream = engine.chat.completions.create(
        messages=[
            {"role": "system", "content": "Answer in one sentence."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        temperature=0,
        stream=True,
    )
    for chunk in stream:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()

    print("An answer that follows a JSON schema:")
    reply = engine.chat.completions.create(
        messages=[{"role": "user", "content": "Describe Paris."}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "city", "schema": CITY, "strict": True},
        },
        temperature=0,
    )
    print(reply.choices[0].message.content)

    print("A call of a tool:")
    reply = engine.chat.completions.create(
        messages=[{"role": "user", "content": "How is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
    )
    for call in reply.choices[0].message.tool_calls or []:
        if call.type == "function":
            print(f"{call.function.name}({call.function.arguments})")
