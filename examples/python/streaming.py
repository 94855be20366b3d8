"""An answer as it comes: `python streaming.py MODEL.gguf`."""

import sys

import zerohop

with zerohop.Engine(sys.argv[1]) as engine:
    stream = engine.chat.completions.create(
        messages=[
            {"role": "system", "content": "Answer in one sentence."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        for choice in chunk.choices:
            print(choice.delta.content or "", end="", flush=True)
        if chunk.usage:
            print(f"\n({chunk.usage.completion_tokens} tokens)")
