"""Asks a model two questions: `python demo.py MODEL.gguf`."""

import sys

import zerohop

with zerohop.Engine(sys.argv[1]) as engine:
    messages = [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": "What is the capital of France?"},
    ]

    answer = ""
    for chunk in engine.chat.completions.create(messages=messages, temperature=0, stream=True):
        text = chunk.choices[0].delta.content or ""
        print(text, end="", flush=True)
        answer += text
    print()

    messages.append({"role": "assistant", "content": answer})
    messages.append({"role": "user", "content": "And what is it famous for?"})
    reply = engine.chat.completions.create(messages=messages, temperature=0)
    print(reply.choices[0].message.content)
