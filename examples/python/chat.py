"""A conversation: `python chat.py MODEL.gguf`. An empty line ends it."""

import sys

import zerohop
from zerohop.types.chat import ChatCompletionMessage

with zerohop.Engine(sys.argv[1]) as engine:
    messages: list[dict[str, str] | ChatCompletionMessage] = [
        {"role": "system", "content": "Answer in one sentence."}
    ]
    while question := input("> "):
        messages.append({"role": "user", "content": question})
        reply = engine.chat.completions.create(messages=messages, temperature=0)
        messages.append(reply.choices[0].message)
        print(reply.choices[0].message.content)
