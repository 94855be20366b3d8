"""What is measured: each function takes a setup's engine and returns one number."""

import json
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from engines import Engine, Request, Setup

TOKENS = 64
TOPICS = ["lists", "the moon", "bread", "chess", "volcanoes", "sailing", "jazz", "rivers"]
PARAGRAPH = (
    "The town of Ems lies on a river that carries timber in spring and barges in summer. Its "
    "people build boats, keep bees and argue about the height of the bridge, which every flood "
    "has taken. "
)
CODE = "\n".join(
    f"def area_{number}(width, height):\n"
    f'    """The area of shape {number}."""\n'
    f"    return width * height * {number}\n"
    for number in range(1, 13)
)
PEOPLE = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "first_name": {"type": "string"},
            "last_name": {"type": "string"},
            "occupation": {"type": "string"},
            "age_in_years": {"type": "integer"},
        },
        "required": ["first_name", "last_name", "occupation", "age_in_years"],
        "additionalProperties": False,
    },
    "minItems": 20,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class Workload:
    """Something to measure."""

    title: str
    unit: str
    measure: Callable[[Engine], float]
    parallel: int = 1
    context_length: int = 4096
    lower_is_better: bool = False

    def setup(self, model: str) -> Setup:
        """The engine that it wants."""
        return Setup(model, self.parallel, self.context_length)


def chat(*texts: str, tokens: int = TOKENS, **more: Any) -> Request:
    """A request of user and assistant messages in turn."""
    roles = ["user", "assistant"] * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return {"messages": messages, "temperature": 0, "max_tokens": tokens, **more}


def story(number: int, tokens: int = TOKENS) -> Request:
    """A question with a long answer, another one for each number."""
    topic = TOPICS[number % len(TOPICS)]
    return chat(f"Write a very long story about {topic} and the number {number}.", tokens=tokens)


def text_of(reply: dict[str, Any]) -> str:
    """The answer's text."""
    return str(reply["choices"][0]["message"]["content"])


def timed(act: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def first_token(engine: Engine, request: Request) -> float:
    """Seconds to the first text of a stream."""
    seen: list[float] = []
    started = time.perf_counter()

    def note(chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices") or [{}]
        if not seen and (choices[0].get("delta") or {}).get("content"):
            seen.append(time.perf_counter() - started)

    engine.stream(request, note)
    return seen[0]


def one_stream(engine: Engine) -> float:
    """Tokens a second, from the first text on."""
    engine.complete(story(0, 4))
    times: list[float] = []

    def note(chunk: dict[str, Any]) -> None:
        if chunk.get("choices"):
            times.append(time.perf_counter())

    engine.stream(story(1, TOKENS), note)
    return (TOKENS - 1) / (times[-1] - times[0])


def callers(number: int) -> Callable[[Engine], float]:
    """Tokens a second of that many callers, two whole answers each."""

    def measure(engine: Engine) -> float:
        engine.complete(story(0, 4))

        def ask(caller: int) -> int:
            replies = [engine.complete(story(100 + 2 * caller + turn)) for turn in range(2)]
            return sum(int(reply["usage"]["completion_tokens"]) for reply in replies)

        with ThreadPoolExecutor(number) as pool:
            started = time.perf_counter()
            tokens = sum(pool.map(ask, range(number)))
            return tokens / (time.perf_counter() - started)

    return measure


def shared_prefix(engine: Engine) -> float:
    """Time to the first token of a request with 1,000 tokens of an earlier one, against its."""
    engine.complete(story(0, 4))
    text = PARAGRAPH * 24
    first = first_token(engine, chat(text + "What do they build?", tokens=8))
    return first_token(engine, chat(text + "What do they keep?", tokens=8)) / first


def multi_turn(engine: Engine) -> float:
    """Seconds of a chat of six turns."""
    engine.complete(story(0, 4))
    texts: list[str] = []

    def talk() -> None:
        for topic in TOPICS[:6]:
            texts.append(f"Tell me something about {topic}, and how it goes with the rest.")
            texts.append(text_of(engine.complete(chat(*texts, tokens=48))))

    return timed(talk)


def schema_rate(engine: Engine) -> float:
    """Tokens a second of JSON that a schema holds, against JSON that nothing holds."""
    fields = "first_name, last_name, occupation and age_in_years"
    ask = f"Write a JSON array of 20 people, each with {fields}."
    held = {"type": "json_schema", "json_schema": {"name": "people", "schema": PEOPLE}}

    def rate(**more: Any) -> float:
        engine.complete(chat(ask, tokens=4, **more))
        rates: list[float] = []
        for _ in range(2):
            started = time.perf_counter()
            reply = engine.complete(chat(ask, tokens=2 * TOKENS, **more))
            rates.append(reply["usage"]["completion_tokens"] / (time.perf_counter() - started))
        return statistics.mean(rates)

    return rate(response_format=held) / rate()


def tool_calls(engine: Engine) -> float:
    """Calls a second, one after another, each required."""
    cities = ["Paris", "Oslo", "Rome", "Lima"]

    def call(city: str) -> None:
        question = f"What is the weather in {city} in celsius?"
        reply = engine.complete(chat(question, tools=[WEATHER], tool_choice="required"))
        made = reply["choices"][0]["message"]["tool_calls"][0]["function"]
        if set(json.loads(made["arguments"])) != {"city", "unit"}:
            raise RuntimeError(f"not a call: {made}")

    call("Bonn")
    return len(cities) / timed(lambda: list(map(call, cities)))


def prediction(engine: Engine) -> float:
    """Time of an edit with the file as `prediction`, against without."""
    question = f"Rename area_3 to surface_3. Answer with the whole file alone.\n\n{CODE}"
    request = chat(question, tokens=700)
    engine.complete(chat(question, tokens=2))
    without = timed(lambda: engine.complete(request))
    predicted = {"prediction": {"type": "content", "content": CODE}}
    return timed(lambda: engine.complete({**request, **predicted})) / without


def peak_memory(engine: Engine) -> float:
    """MiB, after an answer."""
    engine.complete(story(0))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WORKLOADS = {
    "stream": Workload("one stream", "tokens/s", one_stream),
    "callers-1": Workload("1 caller, whole calls", "tokens/s", callers(1)),
    "callers-8": Workload("8 callers", "tokens/s", callers(8), 8, 4096),
    "callers-16": Workload("16 callers", "tokens/s", callers(16), 16, 8192),
    "callers-32": Workload("32 callers", "tokens/s", callers(32), 32, 16384),
    "shared-prefix": Workload(
        "second request with 1,000 tokens in common, time to first token",
        "of the first's",
        shared_prefix,
        lower_is_better=True,
    ),
    "multi-turn": Workload("chat of 6 turns", "s", multi_turn, lower_is_better=True),
    "schema": Workload("JSON with a schema", "of without", schema_rate),
    "tools": Workload("required tool calls", "calls/s", tool_calls),
    "prediction": Workload(
        "edit with `prediction`", "of without", prediction, lower_is_better=True
    ),
    "memory": Workload("peak memory", "MiB", peak_memory, lower_is_better=True),
}
