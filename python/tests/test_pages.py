"""Lists page by page, as openai's SDK has them (contract point RE11, groups BA and MO)."""

import copy
import inspect
import json
import pickle
import time
import types as builtin_types

import openai.resources as theirs
import pytest
from openai import pagination as openai_pagination
from openai.resources.chat.completions import messages as openai_messages
from openai.resources.responses import input_items as openai_input_items
from openai.types import FileObject as OpenAIFileObject

import zerohop
from zerohop import _native, pagination, types
from zerohop.types.responses import ResponseInputMessageItem, ResponseOutputMessage

USER = [{"role": "user", "content": "Hello"}, {"role": "user", "content": "Again"}]


def fill(engine):
    """Keeps five of everything that is listed; gives the ids of what others belong to."""
    create = engine.chat.completions.create
    kept = [create(messages=USER[:1] * 5, max_tokens=1, store=True) for _ in range(5)]
    previous = None
    for _ in range(3):
        previous = engine.responses.create(
            input="Hello",
            max_output_tokens=16,
            previous_response_id=previous.id if previous else None,
        )
    lines = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {}}
    for number in range(5):
        content = json.dumps(lines | {"custom_id": str(number)}).encode()
        file = engine.files.create(file=content, purpose="batch")
        engine.batches.create(input_file_id=file.id, endpoint="/v1/embeddings")
    # Until then they change.
    deadline = time.monotonic() + 100
    while any(batch.status != "completed" for batch in engine.batches.list()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return {"completion": kept[0].id, "response": previous.id}


LISTS = {
    # Without those that batches have written.
    "files": lambda client, ids, **page: client.files.list(purpose="batch", **page),
    "files, oldest first": lambda client, ids, **page: client.files.list(
        order="asc", purpose="batch", **page
    ),
    "batches": lambda client, ids, **page: client.batches.list(**page),
    "completions": lambda client, ids, **page: client.chat.completions.list(order="desc", **page),
    "messages": lambda client, ids, **page: client.chat.completions.messages.list(
        ids["completion"], **page
    ),
    "items": lambda client, ids, **page: client.responses.input_items.list(
        ids["response"], include=["message.output_text.logprobs"], **page
    ),
}


@pytest.fixture(scope="module")
def filled(tiny):
    with zerohop.Engine(tiny, threads=1) as engine:
        yield engine, fill(engine)


@pytest.mark.parametrize("name", LISTS)
def test_lists_go_on_by_themselves(filled, name):
    engine, ids = filled
    page = LISTS[name](engine, ids, limit=2)
    assert type(page) is pagination.SyncCursorPage
    assert isinstance(page, pagination.BaseSyncPage)
    assert isinstance(page, types.BaseModel)
    whole = LISTS[name](engine, ids, limit=100)
    assert len(whole.data) == 5 and not whole.has_next_page()
    assert whole.next_page_info().params == {"after": whole.data[-1].id}
    # Each page by itself, and all of them.
    assert page.data == whole.data[:2] and page.has_more and page._request_id
    assert isinstance(iter(page), builtin_types.GeneratorType)
    assert list(page) == whole.data
    assert [len(each.data) for each in page.iter_pages()] == [2, 2, 1]
    assert page.has_next_page()
    assert page.next_page_info() == pagination.PageInfo(params={"after": page.data[-1].id})
    second = page.get_next_page()
    assert type(second) is type(page) and second._request_id != page._request_id
    assert second.data == whole.data[2:4]
    last = second.get_next_page()
    assert (last.data, last.has_more) == (whole.data[4:], False)
    assert last.get_next_page().data == []


@pytest.mark.parametrize("name", LISTS)
def test_pages_are_openais(filled, name):
    engine, ids = filled
    with zerohop.OpenAI(engine) as client:
        ours = LISTS[name](engine, ids, limit=2)
        other = LISTS[name](client, ids, limit=2)
        assert type(other).__name__.startswith("SyncCursorPage[")
        pages = zip(ours.iter_pages(), other.iter_pages(), strict=True)
        for mine, theirs in pages:
            assert mine.to_dict() == theirs.to_dict()
            assert mine.has_next_page() == theirs.has_next_page()
            assert mine.next_page_info().params == theirs.next_page_info().params
        for mine, theirs in zip(ours, other, strict=True):
            assert type(mine).__name__ == type(theirs).__name__
            assert repr(mine) == repr(theirs)
            assert mine.model_dump() == theirs.model_dump()
            # Unchecked, as the SDK's client does: its class of messages knows one role alone.
            assert type(theirs).construct(**mine.to_dict()) == theirs
            assert type(mine).model_validate(theirs) == mine


def test_a_page_prints_as_openais(filled):
    engine, _ = filled
    page = engine.files.list(limit=1)
    json = page.to_dict()
    theirs = openai_pagination.SyncCursorPage[OpenAIFileObject].model_validate(json)
    assert repr(page) == repr(theirs)
    assert page.model_dump() == theirs.model_dump()
    assert page.model_dump_json() == theirs.model_dump_json()


def test_the_list_of_models_is_one_page(filled):
    # MO1
    engine, _ = filled
    page = engine.models.list()
    assert type(page) is pagination.SyncPage
    assert list(page) == page.data == [engine.models.retrieve("tiny-llama")]
    assert not page.has_next_page() and page.next_page_info() is None
    assert list(page.iter_pages()) == [page]
    with pytest.raises(RuntimeError, match="no page behind"):
        page.get_next_page()


def test_empty_lists(make_engine):
    engine = make_engine()
    for name in ("files", "batches", "completions"):
        page = LISTS[name](engine, {}, limit=1)
        assert list(page) == page.data == []
        assert not page.has_next_page() and page.next_page_info() is None
        with pytest.raises(RuntimeError, match="no page behind"):
            page.get_next_page()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling(filled, protocol):
    engine, ids = filled
    for name in LISTS:
        page = LISTS[name](engine, ids, limit=2)
        back = pickle.loads(pickle.dumps(page, protocol))
        assert type(back) is type(page) and back == page
        assert (repr(back), back.to_dict()) == (repr(page), page.to_dict())
        assert [type(entry) for entry in back.data] == [type(entry) for entry in page.data]
        # It does not lack the other entries in silence.
        assert back.has_next_page()
        with pytest.raises(RuntimeError, match="did not come from an engine"):
            list(back)


def test_copies_go_on(filled):
    engine, ids = filled
    page = LISTS["completions"](engine, ids, limit=2)
    entries = list(page)
    for same in (copy.copy(page), copy.deepcopy(page), page.model_copy(update={"extra": 1})):
        assert list(same) == entries


def test_pages_without_a_class_for_their_entries(filled):
    engine, _ = filled
    page = engine.files.list(limit=2)
    made = pagination.SyncCursorPage.model_validate(page.to_dict())
    assert made.data == page.to_dict()["data"] and made.has_next_page()
    assert pagination.SyncCursorPage(data=[]).has_more is None
    assert pagination.SyncCursorPage[types.FileObject].__origin__ is pagination.SyncCursorPage
    with pytest.raises(zerohop.InvalidArgumentError, match="data is missing"):
        pagination.AsyncCursorPage()


def test_a_page_lives_as_long_as_it_is_used(make_engine):
    engine = make_engine()
    ids = [engine.files.create(file=b"x", purpose="batch").id for _ in range(3)]
    page = engine.files.list(limit=1, order="asc")
    # The list goes on behind an entry, which must be there.
    engine.files.delete(ids[0])
    with pytest.raises(zerohop.BadRequestError):
        page.get_next_page()
    page = engine.files.list(limit=1, order="asc")
    engine.close()
    assert page.data[0].id == ids[1]
    with pytest.raises(zerohop.EngineClosedError):
        page.get_next_page()


def test_wrong_pages(filled):
    engine, ids = filled
    for name in LISTS:
        for wrong in ({"limit": 0}, {"limit": -1}, {"limit": 1 << 40}, {"after": "none"}):
            with pytest.raises(zerohop.BadRequestError) as caught:
                LISTS[name](engine, ids, **wrong)
            assert caught.value.param == next(iter(wrong))
        with pytest.raises(TypeError):
            LISTS[name](engine, ids, limit="2")


def test_every_page_is_asked_for_with_the_calls_options(make_engine):
    engine = make_engine(api_keys="sk-a")
    headers = {"extra_headers": {"Authorization": "Bearer sk-a"}}
    ids = [engine.files.create(file=b"x", purpose="batch", **headers).id for _ in range(3)]
    listed = engine.files.list(limit=1, timeout=60, extra_query={"order": "asc"}, **headers)
    assert [file.id for file in listed] == ids
    for name in ("files", "batches", "completions"):
        with pytest.raises(zerohop.AuthenticationError):
            LISTS[name](engine, {})
        assert LISTS[name](engine, {}, **headers)._request_id
    with pytest.raises(zerohop.InvalidArgumentError, match="timeout"):
        engine.files.list(timeout=-1, **headers)
    with pytest.raises(TypeError, match="Files.list.* unexpected keyword argument 'body'"):
        engine.files.list(body={})
    with pytest.raises(zerohop.BadRequestError, match="lunch"):
        engine.files.list(extra_query={"lunch": "1"}, **headers)


PAIRS = [
    (_native.Files, theirs.Files),
    (_native.Batches, theirs.Batches),
    (_native.Models, theirs.Models),
    (_native.Completions, theirs.chat.Completions),
    (_native.Messages, openai_messages.Messages),
    (_native.InputItems, openai_input_items.InputItems),
]


@pytest.mark.parametrize(("ours", "openais"), PAIRS, ids=lambda cls: cls.__name__)
def test_the_parameters_are_openais(ours, openais):
    mine = inspect.signature(ours.list).parameters
    others = inspect.signature(openais.list).parameters
    # There is no body that `extra_body` could be laid over.
    assert set(mine) == set(others) - {"extra_body"}
    assert all(mine[name].kind is others[name].kind for name in mine if name != "self")


@pytest.mark.parametrize("name", LISTS)
def test_event_loops(filled, run, name):
    engine, ids = filled
    whole = LISTS[name](engine, ids, limit=100)

    async def main():
        async with zerohop.AsyncEngine(engine) as ours:
            listed = LISTS[name](ours, ids, limit=2)
            assert isinstance(listed, pagination.AsyncPaginator)
            assert [entry async for entry in listed] == whole.data
            page = await listed
            assert type(page) is pagination.AsyncCursorPage
            assert isinstance(page, pagination.BaseAsyncPage)
            assert page.data == whole.data[:2] and page._request_id
            assert [entry async for entry in page] == whole.data
            assert [len(each.data) async for each in page.iter_pages()] == [2, 2, 1]
            assert page.has_next_page()
            second = await page.get_next_page()
            assert type(second) is type(page) and second.data == whole.data[2:4]
            last = await second.get_next_page()
            assert (last.data, last.has_next_page()) == (whole.data[4:], False)
            back = pickle.loads(pickle.dumps(page))
            assert back == page and repr(back) == repr(page)
            with pytest.raises(RuntimeError, match="did not come from an engine"):
                await back.get_next_page()
            with pytest.raises(zerohop.BadRequestError):
                await LISTS[name](ours, ids, limit=0)

    run(main)


def test_an_empty_last_page_in_an_event_loop(filled, run):
    engine, _ = filled

    async def main():
        async with zerohop.AsyncEngine(engine) as ours:
            page = await ours.files.list(purpose="vision")
            assert [entry async for entry in page] == page.data == []
            with pytest.raises(RuntimeError, match="no page behind"):
                await page.get_next_page()
            models = await ours.models.list()
            assert type(models) is pagination.AsyncPage and not models.has_next_page()

    run(main)


def test_messages_of_both_sides_are_among_the_items(filled):
    engine, ids = filled
    items = list(LISTS["items"](engine, ids))
    kinds = [ResponseInputMessageItem, ResponseOutputMessage]
    assert [type(item) for item in items] == [*kinds, *kinds, ResponseInputMessageItem]
