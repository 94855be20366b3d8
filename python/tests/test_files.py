"""Files that the engine keeps: through the real SDK, and without it."""

import io
import os
from pathlib import Path

import openai
import pytest
from openai.types import FileDeleted, FileObject

import zerohop
from zerohop import types

# Every byte, and what could be taken for the end of a part.
CONTENT = bytes(range(256)) * 40 + b"\r\n--zerohop\r\n--zerohop--\r\n"


@pytest.fixture
def engine(make_engine):
    return make_engine()


@pytest.fixture
def client(engine):
    with zerohop.OpenAI(engine) as client:
        yield client


def test_the_sdk_keeps_files(client, tmp_path):
    # BA1
    path = tmp_path / "requests.jsonl"
    path.write_bytes(CONTENT)
    with path.open("rb") as opened:
        file = client.files.create(file=opened, purpose="batch")
    assert type(file) is FileObject
    assert (file.bytes, file.filename, file.purpose) == (len(CONTENT), "requests.jsonl", "batch")
    assert (file.object, file.status, file.expires_at) == ("file", "processed", None)
    assert client.files.retrieve(file.id) == file
    assert client.files.wait_for_processing(file.id) == file
    content = client.files.content(file.id)
    assert content.read() == CONTENT
    content.write_to_file(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT
    deleted = client.files.delete(file.id)
    assert type(deleted) is FileDeleted and deleted.deleted and deleted.id == file.id
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(file.id)


def test_the_sdk_takes_files_in_many_forms(client, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x")
    forms = {
        "upload": b"x",
        "a.txt": path,
        "b.txt": ("b.txt", b"x"),
        "c.txt": ("c.txt", io.BytesIO(b"x"), "text/plain"),
        '"q" \\ \u6771\u4eac; x=y.txt': ('"q" \\ \u6771\u4eac; x=y.txt', b"x"),
    }
    for name, form in forms.items():
        file = client.files.create(file=form, purpose="user_data")
        assert (file.filename, client.files.content(file.id).content) == (name, b"x")


def test_the_sdk_pages_through_lists(client):
    ids = [client.files.create(file=b"x" * n, purpose="batch").id for n in range(5)]
    assert [file.id for file in client.files.list()] == ids[::-1]
    page = client.files.list(limit=2, order="asc")
    assert [file.id for file in page.data] == ids[:2] and page.has_more
    # Page by page, as the SDK does by itself.
    assert [file.id for file in client.files.list(limit=2, order="asc")] == ids
    assert client.files.list(purpose="vision").data == []


def test_the_sdk_sets_an_expiry(client):
    expires_after = {"anchor": "created_at", "seconds": 3600}
    file = client.files.create(file=b"x", purpose="batch", expires_after=expires_after)
    assert file.expires_at == file.created_at + 3600
    expires_after["seconds"] = 5
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=b"x", purpose="batch", expires_after=expires_after)
    assert caught.value.param == "expires_after.seconds"


def test_large_files(client):
    content = os.urandom(1 << 20) * 64
    file = client.files.create(file=("large", content), purpose="user_data")
    assert client.files.content(file.id).read() == content


def test_files_without_the_sdk(engine, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(CONTENT)
    with path.open("rb") as opened:
        forms = [path, opened, ("a.txt", CONTENT), ("a.txt", io.BytesIO(CONTENT)), (None, path)]
        files = [engine.files.create(file=form, purpose="batch") for form in forms]
    for file in files:
        assert isinstance(file, types.FileObject) and file._request_id.startswith("req_")
        assert (file.bytes, file.filename, file.status) == (len(CONTENT), "a.txt", "processed")
        content = engine.files.content(file.id)
        assert content.read() == content.content == CONTENT
        assert engine.files.retrieve(file.id) == file
    assert openai.types.FileObject.model_validate(file.model_dump()).id == file.id
    content.write_to_file(tmp_path / "b.txt")
    assert (tmp_path / "b.txt").read_bytes() == CONTENT
    assert f"{len(CONTENT)} bytes" in repr(content)

    page = engine.files.list(limit=2, order="asc")
    assert page.data == files[:2] and page.has_more
    assert list(engine.files.list(after=files[1].id, order="asc")) == files[2:]
    assert engine.files.list(purpose="vision").data == []
    assert engine.files.delete(file.id).deleted
    with pytest.raises(zerohop.NotFoundError):
        engine.files.content(file.id)

    odd = engine.files.create(file=('"\\\r\n%;=', b"\xff"), purpose="user_data")
    assert (odd.filename, engine.files.content(odd.id).text) == ('"\\\r\n%;=', "\ufffd")
    assert engine.files.create(file=b"", purpose="evals").filename == "upload"


def test_bad_files_are_refused(engine):
    with pytest.raises(TypeError, match="not an object of type str"):
        engine.files.create(file="a.txt", purpose="batch")
    with pytest.raises(TypeError, match="not text"):
        engine.files.create(file=io.StringIO("a"), purpose="batch")
    with pytest.raises(TypeError, match="a tuple"):
        engine.files.create(file=("a", b"", "text/plain"), purpose="batch")
    with pytest.raises(FileNotFoundError):
        engine.files.create(file=Path("/none"), purpose="batch")
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.files.create(file=b"", purpose="lunch")
    assert caught.value.param == "purpose"
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.files.create(
            file=b"", purpose="batch", expires_after={"anchor": "now", "seconds": 1}
        )
    assert caught.value.param == "expires_after.anchor"
    for call in (engine.files.retrieve, engine.files.content, engine.files.delete):
        with pytest.raises(zerohop.InvalidArgumentError):
            call("")
        with pytest.raises(zerohop.NotFoundError):
            call("../models")
    with pytest.raises(zerohop.BadRequestError):
        engine.files.list(limit=0)
    assert engine.files.list().data == []


def test_event_loops(engine, run):
    async def main():
        async with zerohop.AsyncEngine(engine) as shared:
            file = await shared.files.create(file=("a", CONTENT), purpose="batch")
            assert (await shared.files.content(file.id)).read() == CONTENT
            assert await shared.files.retrieve(file.id) == file
            page = await shared.files.list()
            assert [each async for each in page] == [file] == page.data
            assert (await shared.files.delete(file.id)).deleted
            with pytest.raises(zerohop.BadRequestError):
                await shared.files.create(file=b"", purpose="lunch")
            assert repr(shared.files).startswith("<files of <zerohop.AsyncEngine")

    run(main)
