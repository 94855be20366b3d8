"""What a request may say beside how to choose: messages, history, labels, deprecated functions."""

import json

import pytest
from contract import both, joined, streamed, user, whole
from openai.types.chat import ChatCompletionMessage
from support import USER

import zerohop

WEATHER = {
    "name": "get_weather",
    "description": "Tells the current weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
TOOL = {"type": "function", "function": WEATHER}


def refused(engine, **request) -> zerohop.BadRequestError:
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.chat.completions.create(**{"messages": USER} | request)
    return caught.value


@pytest.mark.parametrize("role", ["developer", "system"])
def test_instructions_reach_the_template(engine, role):
    # CQ2
    said = [{"role": role, "content": "Be brief"}, *USER]
    reply = whole(engine, messages=said, max_tokens=1)
    plain = whole(engine, messages=USER, max_tokens=1)
    system = whole(engine, messages=[said[0] | {"role": "system"}, *USER], max_tokens=1)
    assert reply.usage.prompt_tokens == system.usage.prompt_tokens > plain.usage.prompt_tokens


@pytest.mark.parametrize(
    ("role", "parts"),
    [
        ("system", [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief"}]),
        ("user", [{"type": "text", "text": "Hello"}]),
        ("assistant", [{"type": "text", "text": "Hi"}, {"type": "refusal", "refusal": "No"}]),
    ],
)
def test_content_may_come_in_parts(engine, role, parts):
    # CQ3
    assert whole(engine, messages=[{"role": role, "content": parts}, *USER], max_tokens=1)


@pytest.mark.parametrize(
    ("role", "part", "param"),
    [
        ("user", {"type": "refusal", "refusal": "no"}, "messages[0].content[0]"),
        ("system", {"type": "image_url", "image_url": {"url": "https://a.b/c"}}, None),
        ("user", {"type": "image_url", "image_url": {"url": "https://a.b/c"}}, None),
        ("user", {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}, None),
        ("user", {"type": "input_audio", "input_audio": {"data": "", "format": "ogg"}}, None),
        ("user", {"type": "file", "file": {"file_id": "f"}}, None),
        ("user", {"type": "file", "file": {"filename": "f", "file_data": "AA=="}}, None),
        ("user", {"type": "image_url", "image_url": {"url": "https://a", "detail": "x"}}, None),
    ],
)
def test_other_parts_are_refused(engine, role, part, param):
    # CQ3, CQ5, CQ6: never dropped silently
    error = refused(engine, messages=[{"role": role, "content": [part]}])
    assert error.param.startswith(param or "messages[0].content[0]")
    assert error.status_code == 400


@pytest.mark.parametrize(
    "request_",
    [
        {"metadata": {str(index): "v" * 512 for index in range(16)}},
        {"store": False, "user": "u", "safety_identifier": "s", "prompt_cache_key": "k"},
        {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
        *({"prompt_cache_retention": value} for value in ("in_memory", "24h")),
        {"modalities": ["text"]},
        {"verbosity": "medium"},
        *(
            {"reasoning_effort": value}
            for value in ("none", "minimal", "low", "medium", "high", "xhigh", "max")
        ),
    ],
    ids=lambda request: "-".join(map(str, [*request.keys(), *request.values()]))[:40],
)
def test_what_changes_nothing_is_taken(engine, request_):
    # CQ13, CQ16, CQ17
    plain = whole(engine, messages=USER, seed=1, max_tokens=4)
    assert whole(engine, messages=USER, seed=1, max_tokens=4, **request_).choices == plain.choices


@pytest.mark.parametrize("tier", ["auto", "default", "flex", "scale", "priority", "fast"])
def test_a_service_tier_is_told(engine, tier):
    # CQ17, CR1
    reply = both(engine, messages=USER, seed=1, max_tokens=2, service_tier=tier)
    assert reply.service_tier == tier


def test_obfuscation_may_be_asked_for(engine):
    # CQ14, CS13: and is left out
    for option in (True, False):
        options = {"include_obfuscation": option}
        stream = engine.chat.completions.create(
            messages=USER, max_tokens=2, stream=True, stream_options=options
        )
        assert all("obfuscation" not in chunk.to_dict() for chunk in stream)


def test_a_reply_goes_back_unchanged(engine):
    # CR16
    reply = whole(engine, messages=USER, seed=1, max_tokens=8)
    message = reply.choices[0].message
    for past in [message, message.model_dump(), message.to_dict()]:
        assert whole(engine, messages=[*USER, past, *USER], max_tokens=1)


def said(engine, messages, pattern: str, **request) -> str:
    """What a model says that can do little but repeat what it was told."""
    form = {"type": "regex", "regex": pattern}
    request |= {"messages": messages, "temperature": 0, "response_format": form}
    return whole(engine, **request).choices[0].message.content


def test_a_call_goes_back_and_is_answered(qwen_engine):
    # CR16, TL14
    question = user("What is the weather in Paris?")
    reply = whole(
        qwen_engine, messages=question, temperature=0, tools=[TOOL], tool_choice="required"
    )
    message = reply.choices[0].message
    assert json.loads(message.tool_calls[0].function.arguments)["city"].startswith("Paris")
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": "17 degrees, light rain"}
        for call in message.tool_calls
    ]
    for past, more in [
        (message, {}),
        (message.model_dump(), {"tools": [TOOL], "tool_choice": "none"}),
    ]:
        text = said(qwen_engine, [*question, past, *answers], r"It is \d\d degrees\.", **more)
        assert text == "It is 17 degrees."


def call(id_: str, city: str) -> dict:
    function = {"name": "get_weather", "arguments": json.dumps({"city": city})}
    return {"id": id_, "type": "function", "function": function}


def test_several_calls_and_answers_render(qwen_engine):
    # TL14, CQ7: the answers as a string and in parts
    history = [
        *user("What is the weather in Oslo and in Rome?"),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call("a", "Oslo"), call("b", "Rome")],
        },
        {"role": "tool", "tool_call_id": "a", "content": "Oslo has 14 degrees"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "Rome: 31"}]},
    ]
    text = said(qwen_engine, history, r"Oslo has \d\d degrees and Rome has \d\d degrees\.")
    assert text == "Oslo has 14 degrees and Rome has 31 degrees."
    assert refused(qwen_engine, messages=history[:3]).param == "messages[1].tool_calls"
    history += [{"role": "assistant", "content": text}, *user("How many degrees has Rome?")]
    assert said(qwen_engine, history, r"Rome has \d\d degrees\.") == "Rome has 31 degrees."


@pytest.mark.parametrize("function_call", [{"name": "get_weather"}, "none", None])
def test_deprecated_functions_are_called(qwen_engine, function_call):
    # CQ18
    request = {
        "messages": user("Use the function to get the weather in Paris."),
        "functions": [WEATHER],
        "temperature": 0,
        "max_tokens": 60,
    }
    if function_call is not None:
        request["function_call"] = function_call
    reply = both(qwen_engine, **request)
    (choice,) = reply.choices
    call = choice.message.function_call
    assert choice.message.tool_calls is None
    if isinstance(function_call, dict):
        assert call is not None
    if function_call == "none":
        assert call is None
    assert choice.finish_reason == ("function_call" if call else "stop")
    if call:
        assert call.name == "get_weather" and "Paris" in json.loads(call.arguments)["city"]


def test_a_deprecated_call_streams_and_goes_back(qwen_engine):
    # CQ18, CR16
    request = {"functions": [WEATHER], "temperature": 0, "max_tokens": 60}
    question = user("What is the weather in Paris?")
    chunks = streamed(
        qwen_engine, messages=question, function_call={"name": "get_weather"}, **request
    )
    deltas = [choice.delta.function_call for chunk in chunks for choice in chunk.choices]
    first, *later = [delta for delta in deltas if delta]
    assert (first.name, first.arguments) == ("get_weather", "")
    assert later and all(delta.name is None for delta in later)
    past = joined(chunks).choices[0].message
    dumped = ChatCompletionMessage.model_validate(past.to_dict()).model_dump()
    answer = {"role": "function", "name": "get_weather", "content": "17 degrees"}
    history = [*question, dumped, answer]
    assert said(qwen_engine, history, r"It is \d\d degrees\.") == "It is 17 degrees."


@pytest.mark.parametrize("key", ["temprature", "max_token", "top_logprob", "tool"])
def test_misspelt_parameters_are_refused(engine, key):
    # CQ19
    error = refused(engine, extra_body={key: 1})
    assert (error.param, error.code) == (key, "unsupported_parameter")


def test_the_context_bounds_prompt_and_answer(engine):
    # CQ20
    length = engine.model_info[0].context_length
    prompt = whole(engine, messages=USER, max_tokens=1).usage.prompt_tokens
    error = refused(engine, max_tokens=length - prompt + 1)
    assert (error.code, error.param) == ("context_length_exceeded", "messages")
