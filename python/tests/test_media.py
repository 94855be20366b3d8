"""Images and sound in chats, with tiny models of random weights, and through openai's own SDK."""

import base64
import io
import math
import pickle
import struct
import wave

import openai
import pytest
from support import model, picture

import zerohop

QWEN = "tiny/qwen2vl/tiny-qwen2vl.gguf"


def data_url(image: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


def look(*urls: str) -> list[dict]:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [{"type": "text", "text": "Look:"}, *images]}]


def hear(sound: bytes) -> list[dict]:
    audio = {"data": base64.b64encode(sound).decode(), "format": "wav"}
    return [{"role": "user", "content": [{"type": "input_audio", "input_audio": audio}]}]


def tone(hertz: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        moments = (math.sin(index * hertz * math.tau / 16000) for index in range(16000))
        out.writeframes(b"".join(struct.pack("<h", int(8000 * moment)) for moment in moments))
    return file.getvalue()


@pytest.fixture(scope="module")
def engine():
    # Its projector is beside it.
    with zerohop.Engine(model(QWEN), threads=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def hearing():
    projector = model("tiny/mmproj-tiny-gemma3.gguf")
    with zerohop.Engine(model("tiny/tiny-gemma3.gguf"), threads=1, projector=projector) as engine:
        yield engine


def ask(engine, messages, **options):
    options = {"temperature": 0, "max_tokens": 8, "logprobs": True, "top_logprobs": 3} | options
    return engine.chat.completions.create(messages=messages, model="tiny-qwen2vl", **options)


def told(reply):
    return [(token.token, token.logprob) for token in reply.choices[0].logprobs.content]


def test_an_image_is_counted_and_seen(engine):
    # CQ5, CR12
    none = ask(engine, look())
    one, other = (ask(engine, look(data_url(picture(seed)))) for seed in (1, 2))
    assert one.usage.prompt_tokens - none.usage.prompt_tokens == 12 + 2
    assert told(one) != told(other)
    assert told(one) == told(ask(engine, look(data_url(picture(1)))))


def test_the_sdk_sends_images(engine):
    # CQ5, T2
    with zerohop.OpenAI(engine) as client:
        assert told(ask(client, look(data_url(picture(1))))) == told(
            ask(engine, look(data_url(picture(1))))
        )
        stream = ask(client, look(*(data_url(picture(seed)) for seed in (1, 2))), stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        response = client.responses.create(
            model="tiny-qwen2vl",
            max_output_tokens=16,
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Look:"},
                        {
                            "type": "input_image",
                            "detail": "auto",
                            "image_url": data_url(picture(1)),
                        },
                    ],
                }
            ],
        )
        assert (
            response.usage.input_tokens
            == ask(engine, look(data_url(picture(1)))).usage.prompt_tokens
        )
        with pytest.raises(openai.BadRequestError) as refused:
            ask(client, look("https://example.com/cat.png"))
        assert refused.value.param == "messages[0].content[1].image_url.url"
        assert refused.value.code == "invalid_image_url"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("data:image/png;base64,*", "invalid_base64"),
        (data_url(b"no image"), "image_parse_error"),
        (data_url(picture(1)[:200]), "image_parse_error"),
        (data_url(picture(1, 1, 1)), "image_parse_error"),
        ("file:///etc/hostname", "invalid_image_url"),
        ("cat.png", "invalid_image_url"),
    ],
)
def test_what_is_no_image_is_refused(engine, url, code):
    # CQ5, ER8
    with pytest.raises(zerohop.BadRequestError) as refused:
        ask(engine, look(url))
    assert (refused.value.param, refused.value.code) == (
        "messages[0].content[1].image_url.url",
        code,
    )


def test_images_come_from_where_options_allow(engine, tmp_path):
    # CQ5
    cat = tmp_path / "cat.png"
    cat.write_bytes(picture(1))
    asked = []

    def fetch(url):
        asked.append(url)
        if url.endswith("dog.png"):
            raise ValueError("there is no dog")
        return 5 if url.endswith("five.png") else cat.read_bytes()

    options = zerohop.ModelOptions(
        model(QWEN), threads=1, media_folder=tmp_path, media_fetcher=fetch
    )
    assert options.media_fetcher is fetch
    assert options.projector is None
    inline = told(ask(engine, look(data_url(picture(1)))))
    with zerohop.Engine(options) as fetching:
        assert told(ask(fetching, look(cat.as_uri()))) == inline
        assert told(ask(fetching, look("https://example.com/cat.png"))) == inline
        for url, reason in (("dog", "there is no dog"), ("five", "must give bytes")):
            with pytest.raises(zerohop.BadRequestError, match=reason):
                ask(fetching, look(f"http://example.com/{url}.png"))
    assert [url.rsplit("/")[-1] for url in asked] == ["cat.png", "dog.png", "five.png"]


def test_options_are_read_and_kept():
    projector = model("tiny/mmproj-tiny-gemma3.gguf")
    options = zerohop.ModelOptions(
        "m.gguf", projector=projector, image_max_tokens=64, media_folder="/srv"
    )
    assert pickle.loads(pickle.dumps(options)) == options
    assert "projector=" in repr(options)
    assert "media_folder=" in repr(options)
    assert options.image_max_tokens == 64
    with pytest.raises(TypeError, match="media_fetcher must be callable"):
        zerohop.ModelOptions("m.gguf", media_fetcher="https://example.com")
    with pytest.raises(zerohop.InvalidModelError, match='not "clip"'):
        zerohop.Engine(model(QWEN), projector=model("tiny/tiny-llama.gguf"))


def test_sound_is_counted_and_heard(hearing):
    # CQ6
    def ask_(hertz):
        return hearing.chat.completions.create(
            messages=hear(tone(hertz)), temperature=0, max_tokens=4, logprobs=True
        )

    low, high = ask_(220), ask_(880)
    assert low.usage.prompt_tokens > 375
    assert told(low) != told(high)
    with pytest.raises(zerohop.BadRequestError) as refused:
        hearing.chat.completions.create(messages=hear(b"no sound"))
    assert refused.value.param == "messages[0].content[0].input_audio.data"


def test_a_model_without_ears_refuses_sound(engine):
    # CQ6
    with pytest.raises(zerohop.BadRequestError) as refused:
        ask(engine, hear(tone(220)))
    assert (refused.value.param, refused.value.code) == (
        "messages[0].content[0]",
        "unsupported_value",
    )
