"""Embeddings without the SDK, and their vectors in place."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openai.types
import pytest
import support
from openai.resources.embeddings import Embeddings as OpenAIEmbeddings

import zerohop
from zerohop._native import Embeddings
from zerohop.types import CreateEmbeddingResponse, Embedding

TEXTS = ["a cat", "a dog, and more of them", "a cat"]


def make_engine() -> zerohop.Engine:
    """Vectors of 64 numbers that mean nothing, and are there at once."""
    return zerohop.Engine(support.model("tiny/tiny-embedding-mean.gguf"), threads=1)


@pytest.fixture(scope="module")
def engine():
    with make_engine() as engine:
        yield engine


def address(array):
    return array.__array_interface__["data"][0]


def test_a_reply_has_the_apis_shape(engine):
    # EM3
    reply = engine.embeddings.create(input=TEXTS)
    assert isinstance(reply, CreateEmbeddingResponse) and isinstance(reply.data[0], Embedding)
    assert (reply.object, reply.model) == ("list", "tiny-embedding-mean")
    assert [(each.object, each.index) for each in reply.data] == [
        ("embedding", index) for index in range(3)
    ]
    vector = reply.data[1].embedding
    assert type(vector) is list and len(vector) == 64 and type(vector[0]) is float
    assert reply.usage.prompt_tokens == reply.usage.total_tokens > 0
    assert reply._request_id.startswith("req_")


def test_vectors_are_those_that_openais_sdk_gets(engine):
    # EM2
    ours = engine.embeddings.create(input=TEXTS)
    with zerohop.OpenAI(engine) as client:
        theirs = client.embeddings.create(model=ours.model, input=TEXTS)
        floats = client.embeddings.create(model=ours.model, input=TEXTS, encoding_format="float")
    assert np.allclose(ours.vectors, [each.embedding for each in theirs.data], atol=1e-6)
    assert np.allclose(ours.vectors, [each.embedding for each in floats.data], atol=1e-6)


def test_objects_go_over_into_openais(engine):
    ours = engine.embeddings.create(input=TEXTS)
    theirs = openai.types.CreateEmbeddingResponse.model_validate(ours.model_dump())
    assert theirs.model_dump() == ours.model_dump()
    assert theirs.model_dump_json() == ours.model_dump_json()
    back = CreateEmbeddingResponse.model_validate(theirs)
    assert back == ours and ours == back
    assert repr(back) == repr(ours)
    assert np.array_equal(back.vectors, ours.vectors)


def test_numpy_reads_the_vectors_in_place(engine):
    reply = engine.embeddings.create(input=TEXTS)
    one, two = np.asarray(reply.vectors), np.asarray(reply.vectors)
    assert (one.shape, one.dtype, one.flags.writeable) == ((3, 64), np.float32, False)
    assert address(one) == address(two)
    assert one.flags.c_contiguous and not one.flags.owndata
    assert len(reply.vectors) == 3 and reply.vectors.shape == (3, 64)
    for row, each in zip(one, reply.data, strict=True):
        assert row.tolist() == each.embedding
    # The parts of a reply share it.
    assert address(np.asarray(reply.model_copy(update={"model": "other"}).vectors)) == address(one)
    assert np.allclose(np.linalg.norm(one, axis=1), 1, atol=1e-3)


def test_other_readers_of_buffers(engine):
    vectors = engine.embeddings.create(input=TEXTS).vectors
    with memoryview(vectors) as view:
        assert (view.format, view.itemsize, view.shape, view.readonly) == ("f", 4, (3, 64), True)
        assert view.strides == (256, 4) and view.nbytes == 3 * 64 * 4
        assert view[2, 63] == np.asarray(vectors)[2, 63]
        assert view.tolist() == np.asarray(vectors).tolist()
        assert view.cast("B").tobytes() == bytes(vectors)
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(vectors)[0, 0] = 1
    # What asks for memory to write to.
    with pytest.raises(TypeError), open(__file__, "rb") as file:
        file.readinto(vectors)


@pytest.mark.parametrize("close_first", [True, False])
def test_vectors_outlive_the_reply_and_the_engine(close_first):
    engine = make_engine()
    reply = engine.embeddings.create(input=TEXTS)
    expected = [each.embedding for each in reply.data]
    array = np.asarray(reply.vectors)[1:]
    gone = weakref.ref(engine)
    if close_first:
        engine.close()
    del reply, engine
    gc.collect()
    assert gone() is None
    # Something else would lie in the memory by now.
    filler = [np.full((3, 64), 9, np.float32) for _ in range(1000)]
    assert array.tolist() == expected[1:] and len(filler) == 1000


def test_threads_share_the_engine_and_its_vectors(engine):
    expected = np.asarray(engine.embeddings.create(input=TEXTS).vectors)

    def embed(index):
        reply = engine.embeddings.create(input=TEXTS[index % 3 :])
        arrays = [np.asarray(reply.vectors) for _ in range(20)]
        assert len({address(array) for array in arrays}) == 1
        return np.allclose(arrays[0], expected[index % 3 :], atol=1e-4)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(embed, range(60)))


def test_other_threads_run_on_meanwhile():
    texts = [f"{index} " + "word " * 200 for index in range(300)]
    with make_engine() as engine:
        done = threading.Event()

        def embed():
            engine.embeddings.create(input=texts)
            done.set()

        thread = threading.Thread(target=embed)
        thread.start()
        steps = 0
        while not done.wait(0.001):
            steps += 1
        thread.join()
    assert steps > 20


def test_base64_stays_text(engine):
    # EM2
    reply = engine.embeddings.create(input="a cat", encoding_format="base64")
    assert isinstance(reply.data[0].embedding, str)
    with pytest.raises(zerohop.InvalidArgumentError, match="base64"):
        reply.vectors  # noqa: B018
    unset = engine.embeddings.create(input="a cat", extra_body={"encoding_format": "base64"})
    assert unset.data[0].embedding == reply.data[0].embedding


@pytest.mark.parametrize(
    "embeddings", [[[1.0], [1.0, 2.0]], [[1.0], ["a"]], [[1.0], None], ["AAAA"]]
)
def test_vectors_of_other_objects(embeddings):
    def reply(embeddings):
        data = [
            {"embedding": embedding, "index": index, "object": "embedding"}
            for index, embedding in enumerate(embeddings)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return CreateEmbeddingResponse(data=data, model="m", object="list", usage=usage)

    assert np.array_equal(reply([[1, 2.5], [3.0, 4]]).vectors, [[1, 2.5], [3, 4]])
    assert reply([]).vectors.shape == (0, 0)
    with pytest.raises(zerohop.InvalidArgumentError):
        reply(embeddings).vectors  # noqa: B018


def test_the_parameters_are_openais():
    import inspect

    ours = inspect.signature(Embeddings.create).parameters
    theirs = inspect.signature(OpenAIEmbeddings.create).parameters
    assert set(ours) == set(theirs)


def test_inputs_come_in_many_forms(engine):
    # EM1
    def vectors(input):
        return np.asarray(engine.embeddings.create(input=input).vectors)

    texts = vectors(TEXTS)
    assert np.array_equal(vectors(tuple(TEXTS)), texts)
    assert np.array_equal(vectors(text for text in TEXTS), texts)
    assert vectors(range(30, 40)).shape == (1, 64)
    assert vectors([[30, 31], (32,)]).shape == (2, 64)
    short = engine.embeddings.create(input="a", dimensions=5, user="me", encoding_format="float")
    assert short.vectors.shape == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": "a", "dimensions": 65}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "encoding_format": 3}, "encoding_format"),
        ({"input": "a", "extra_body": {"dimension": 1}}, "dimension"),
    ],
)
def test_bad_requests(engine, arguments, param):
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.embeddings.create(**arguments)
    assert caught.value.param == param


def test_bad_arguments(engine):
    with pytest.raises(TypeError, match="input"):
        engine.embeddings.create()
    with pytest.raises(TypeError, match="text"):
        engine.embeddings.create(input="a", text="b")
    with pytest.raises(TypeError, match="input"):
        engine.embeddings.create(input=object())
    with pytest.raises(zerohop.APITimeoutError):
        engine.embeddings.create(input=["word " * 300] * 500, timeout=0.001)


def test_event_loops(engine, run):
    async def main():
        async with zerohop.AsyncEngine(engine) as shared:
            replies = await support.gather(
                *[lambda i=i: shared.embeddings.create(input=TEXTS[i % 3 :]) for i in range(30)]
            )
            with pytest.raises(zerohop.BadRequestError):
                await shared.embeddings.create(input=[])
            assert "embeddings of <zerohop.AsyncEngine" in repr(shared.embeddings)
        return replies

    expected = np.asarray(engine.embeddings.create(input=TEXTS).vectors)
    for index, reply in enumerate(run(main)):
        assert np.allclose(reply.vectors, expected[index % 3 :], atol=1e-4)
