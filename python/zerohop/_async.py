"""The engine for event loops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar, overload

from ._exceptions import EngineClosedError
from ._native import (
    Batches,
    Completions,
    Embeddings,
    Engine,
    LegacyCompletions,
    Responses,
    Stream,
    Transcriptions,
    Translations,
    _Loader,
)
from ._wait import ready

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Unpack

    from ._files import BinaryResponseContent, FileTypes
    from ._native import (
        AsyncBatchPage,
        AsyncCursorPage,
        AsyncPage,
        Batch,
        BatchCounts,
        ChatCompletion,
        ChatCompletionChunk,
        Completion,
        CreateEmbeddingResponse,
        DetokenizeResponse,
        FileDeleted,
        FileObject,
        Model,
        ModelDeleted,
        ModelInfo,
        ModelOptions,
        RerankResponse,
        ResponseObject,
        TokenizeResponse,
        Transcription,
        TranscriptionTextDeltaEvent,
        TranscriptionTextDoneEvent,
        TranscriptionVerbose,
        Translation,
        TranslationVerbose,
        _AudioText,
        _BatchParams,
        _CreateParams,
        _DetokenizeParams,
        _EmbeddingParams,
        _ExpiresAfter,
        _FilePurpose,
        _LegacyParams,
        _ListedPurpose,
        _ModelOptions,
        _Options,
        _Pending,
        _RerankParams,
        _ResponseParams,
        _SpeechParams,
        _TokenizeParams,
        _TranscriptionParams,
    )
    from ._response import Response
    from .types.responses import ResponseStreamEvent

    _Path = str | os.PathLike[str]

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class AsyncEngine:
    """Runs models in this process, for event loops: asyncio, uvloop and trio.

        async with zerohop.AsyncEngine("qwen.gguf") as engine:
            reply = await engine.chat.completions.create(messages=[...])

    `model` and the options are those of `Engine`. Awaiting the engine, entering it, or its first
    request loads the models, on a thread of its own: `engine = await zerohop.AsyncEngine(...)`.
    `model` may also be an `Engine`: both then share its models, and closing this one leaves that
    open.

    No request holds up the loop or has a thread of its own, however many there are. Cancelling a
    task cancels its request.
    """

    def __init__(
        self,
        model: _Path | ModelOptions | Mapping[str, _Path | ModelOptions] | Engine,
        **options: Unpack[_Options],
    ) -> None:
        self._engine: Engine | None = None
        self._loader: _Loader | None = None
        self._closed = False
        if not isinstance(model, Engine):
            self._loader = _Loader(model, **options)
        elif options:
            raise TypeError("an Engine has its options already")
        else:
            self._engine = model

    @property
    def chat(self) -> AsyncChat:
        """Chat completions: `await engine.chat.completions.create(...)`."""
        return AsyncChat(self)

    @property
    def completions(self) -> AsyncLegacyCompletions:
        """Legacy completions: `await engine.completions.create(...)`."""
        return AsyncLegacyCompletions(self)

    async def rerank(self, **params: Unpack[_RerankParams]) -> RerankResponse:
        """Orders documents by how well they answer a query, as `Engine`'s does."""
        return await _reply((await self._loaded())._submit_rerank(**params))

    async def tokenize(self, **params: Unpack[_TokenizeParams]) -> TokenizeResponse:
        """The tokens of a text or a conversation, as `Engine`'s does."""
        return await _reply((await self._loaded())._submit_tokenize(**params))

    async def detokenize(self, **params: Unpack[_DetokenizeParams]) -> DetokenizeResponse:
        """The text of tokens, as `Engine`'s does."""
        return await _reply((await self._loaded())._submit_detokenize(**params))

    # For `help()` and editors: the parameters are written down once.
    rerank.__wrapped__ = Engine.rerank  # type: ignore[attr-defined]
    tokenize.__wrapped__ = Engine.tokenize  # type: ignore[attr-defined]
    detokenize.__wrapped__ = Engine.detokenize  # type: ignore[attr-defined]

    @property
    def responses(self) -> AsyncResponses:
        """The Responses API: `await engine.responses.create(...)`."""
        return AsyncResponses(self)

    @property
    def embeddings(self) -> AsyncEmbeddings:
        """Vectors of texts: `await engine.embeddings.create(...)`."""
        return AsyncEmbeddings(self)

    @property
    def audio(self) -> AsyncAudio:
        """Speech to text: `await engine.audio.transcriptions.create(...)`."""
        return AsyncAudio(self)

    @property
    def batches(self) -> AsyncBatches:
        """Files of requests, answered in the background: `await engine.batches.create(...)`."""
        return AsyncBatches(self)

    @property
    def files(self) -> AsyncFiles:
        """Files, kept in memory: `await engine.files.create(...)`."""
        return AsyncFiles(self)

    @property
    def models(self) -> AsyncModels:
        """The models as the API lists them: `await engine.models.list()`."""
        return AsyncModels(self)

    @property
    def model_info(self) -> list[ModelInfo]:
        """What the models are, in the order they were given."""
        self._check_open()
        if self._engine is None:
            raise RuntimeError("the models have not been loaded: `await` the engine first")
        return self._engine.model_info

    @property
    def closed(self) -> bool:
        """Whether this engine, or the `Engine` that it was made from, has been closed."""
        return self._closed or (self._engine is not None and self._engine.closed)

    @overload
    async def load(self, name: None = None, model: None = None) -> Self: ...

    @overload
    async def load(
        self,
        name: str,
        model: _Path | ModelOptions,
        **options: Unpack[_ModelOptions],
    ) -> ModelInfo: ...

    async def load(
        self,
        name: str | None = None,
        model: _Path | ModelOptions | None = None,
        **options: Unpack[_ModelOptions],
    ) -> Self | ModelInfo:
        """Loads the models, unless they are loaded, and gives the engine itself.

        Tasks that call this meanwhile wait for the same loading. It ends when the last of them is
        cancelled; a later call then begins anew. A `progress` callback is called on the thread that
        loads.

        With a name and a model, adds that model to the others, as `Engine.load` does, and gives its
        description. Cancelling the task stops that loading.
        """
        engine = await self._loaded()
        # Whoever made it may have closed it, or forked since.
        engine.__enter__()
        if name is None and model is None and not options:
            return self
        if name is None or model is None:
            raise TypeError("load takes a name and a model, or nothing")
        job = engine._load(name, model, **options)
        try:
            info: ModelInfo = await ready(job.poll, None)
            return info
        finally:
            job.leave()

    async def unload(self, name: str) -> None:
        """Unloads the model of this name or alias, as `Engine.unload` does."""
        job = (await self._loaded())._unload(name)
        try:
            await ready(job.poll, None)
        finally:
            job.leave()

    async def batch(
        self,
        input: _Path,
        output: _Path,
        *,
        errors: _Path | None = None,
        endpoint: str | None = None,
        concurrency: int | None = None,
        progress: Callable[[BatchCounts], object] | bool | None = None,
    ) -> BatchCounts:
        """Answers a file of requests, as `Engine.batch` does, on a thread of its own.

        Cancelling the task stops the batch; what was finished is kept. A `progress` callback is
        called on that thread.
        """
        engine = await self._loaded()
        job = engine._batch(
            input,
            output,
            errors=errors,
            endpoint=endpoint,
            concurrency=concurrency,
            progress=progress,
        )
        try:
            counts: BatchCounts = await ready(job.poll, None)
            return counts
        finally:
            job.leave()

    def metrics(self) -> dict[str, Any]:
        """What the engine has done and is doing, as `Engine.metrics` says."""
        if self._engine is None:
            self._check_open()
            raise RuntimeError("the models have not been loaded: `await` the engine first")
        return self._engine.metrics()

    async def close(self, *, drain: float | None = None) -> None:
        """Ends all requests, stops computing and unloads the models. Closing twice is fine.

        With `drain`, a number of seconds, new requests are refused first, and those that have begun
        may end within this time. The models of an `Engine` that this one was made from stay.
        """
        self._closed = True
        if self._loader is not None:
            self._loader.stop()
            if self._engine is not None:
                await ready(self._engine._close(drain).poll, None)

    def __await__(self) -> Generator[Any, Any, Self]:
        return self.load().__await__()

    async def __aenter__(self) -> Self:
        return await self.load()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        if self._closed:
            return "<zerohop.AsyncEngine, closed>"
        if self._engine is None:
            return "<zerohop.AsyncEngine, not loaded>"
        return repr(self._engine).replace("Engine", "AsyncEngine", 1)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an AsyncEngine cannot be pickled or copied: it holds a loaded model and running "
            "threads; pass its ModelOptions on and make another engine from them"
        )

    async def _loaded(self) -> Engine:
        """The engine of threads whose models this one has."""
        self._check_open()
        if self._engine is None:
            assert self._loader is not None
            job = self._loader.start()
            try:
                engine: Engine = await ready(job.poll, None)
            finally:
                job.leave()
            self._check_open()
            self._engine = engine
        return self._engine

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosedError("the engine has been closed")


async def _reply(pending: _Pending[_T]) -> _T:
    """The reply that is on its way; leaving this cancels its request."""
    try:
        reply: _T = await ready(pending.poll, pending.timeout)
    finally:
        pending.close()
    return reply


class _Part:
    """A part of an engine, which lives as long."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine


class AsyncChat(_Part):
    """The chat endpoints of an engine."""

    @property
    def completions(self) -> AsyncCompletions:
        """Chat completions: `await create(...)`."""
        return AsyncCompletions(self._engine)

    def __repr__(self) -> str:
        return f"<chat of {self._engine!r}>"


class AsyncCompletions(_Part):
    """The chat completions of an engine."""

    @overload
    async def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_CreateParams]
    ) -> ChatCompletion: ...
    @overload
    async def create(
        self, *, stream: Literal[True], **params: Unpack[_CreateParams]
    ) -> AsyncStream[ChatCompletionChunk]: ...
    @overload
    async def create(
        self, *, stream: bool, **params: Unpack[_CreateParams]
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]: ...
    async def create(self, **params: Any) -> ChatCompletion | AsyncStream[ChatCompletionChunk]:
        """Answers a conversation, as `Engine`'s does.

        The answer is a `ChatCompletion`, or an `AsyncStream` of `ChatCompletionChunk`s if `stream`
        is true.

        The parameters are the API's. `model` may be left out if the engine has one model.
        Parameters that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is
        the number of seconds that the answer, or each chunk of a stream, may take; none by default.
        """
        engine = await self._engine._loaded()
        reply = await _reply(engine.chat.completions._submit(**params))
        return AsyncStream(reply) if isinstance(reply, Stream) else reply

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = Completions.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<chat.completions of {self._engine!r}>"


class AsyncLegacyCompletions(_Part):
    """The legacy completions of an engine."""

    @overload
    async def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_LegacyParams]
    ) -> Completion: ...
    @overload
    async def create(
        self, *, stream: Literal[True], **params: Unpack[_LegacyParams]
    ) -> AsyncStream[Completion]: ...
    @overload
    async def create(
        self, *, stream: bool, **params: Unpack[_LegacyParams]
    ) -> Completion | AsyncStream[Completion]: ...
    async def create(self, **params: Any) -> Completion | AsyncStream[Completion]:
        """Goes on from a text, as `Engine`'s does.

        The answer is a `Completion`, or an `AsyncStream` of `Completion`s if `stream` is true.
        """
        engine = await self._engine._loaded()
        reply = await _reply(engine.completions._submit(**params))
        return AsyncStream(reply) if isinstance(reply, Stream) else reply

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = LegacyCompletions.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<completions of {self._engine!r}>"


class AsyncResponses(_Part):
    """The responses of an engine."""

    @overload
    async def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_ResponseParams]
    ) -> ResponseObject: ...
    @overload
    async def create(
        self, *, stream: Literal[True], **params: Unpack[_ResponseParams]
    ) -> AsyncStream[ResponseStreamEvent]: ...
    @overload
    async def create(
        self, *, stream: bool, **params: Unpack[_ResponseParams]
    ) -> ResponseObject | AsyncStream[ResponseStreamEvent]: ...
    async def create(self, **params: Any) -> ResponseObject | AsyncStream[ResponseStreamEvent]:
        """Answers a conversation, as `Engine`'s does.

        The answer is a `Response`, or an `AsyncStream` of events if `stream` is true.

        The parameters are the API's. `model` may be left out if the engine has one model.
        Parameters that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is
        the number of seconds that the answer, or each event of a stream, may take; none by default.
        """
        engine = await self._engine._loaded()
        reply = await _reply(engine.responses._submit(**params))
        return AsyncStream(reply) if isinstance(reply, Stream) else reply

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = Responses.create  # type: ignore[attr-defined]

    async def retrieve(self, response_id: str) -> ResponseObject:
        """The response of this id, if it was kept. Raises `NotFoundError` if there is none."""
        # It takes no longer than looking the id up.
        return (await self._engine._loaded()).responses.retrieve(response_id)

    async def delete(self, response_id: str) -> None:
        """Forgets a response. Raises `NotFoundError` if there is none of this id."""
        (await self._engine._loaded()).responses.delete(response_id)

    async def cancel(self, response_id: str) -> ResponseObject:
        """Raises `BadRequestError`: only responses made in the background could be cancelled so.
        Close a stream, or cancel the task that waits."""
        return (await self._engine._loaded()).responses.cancel(response_id)

    def __repr__(self) -> str:
        return f"<responses of {self._engine!r}>"


class AsyncEmbeddings(_Part):
    """The embeddings of an engine."""

    async def create(self, **params: Unpack[_EmbeddingParams]) -> CreateEmbeddingResponse:
        """Turns texts into vectors of length 1, as `Engine`'s does.

        `input` is a text, texts, a text's tokens, or several texts' tokens. The other parameters
        are the API's. `model` may be left out if the engine has one model. Each `embedding` is a
        list of floats, or text if `encoding_format` is `"base64"`; `vectors` of the reply has all
        of them for numpy, without copying. `timeout` is the number of seconds that the answer may
        take; none by default.
        """
        engine = await self._engine._loaded()
        pending = engine.embeddings._submit(**params)
        try:
            reply: CreateEmbeddingResponse = await ready(pending.poll, pending.timeout)
        finally:
            pending.close()
        return reply

    create.__wrapped__ = Embeddings.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<embeddings of {self._engine!r}>"


class AsyncAudio(_Part):
    """The audio endpoints of an engine."""

    @property
    def transcriptions(self) -> AsyncTranscriptions:
        """Speech to text in its own language: `await ...create(...)`."""
        return AsyncTranscriptions(self._engine)

    @property
    def translations(self) -> AsyncTranslations:
        """Speech to English text: `await ...create(...)`."""
        return AsyncTranslations(self._engine)

    def __repr__(self) -> str:
        return f"<audio of {self._engine!r}>"


class AsyncTranscriptions(_Part):
    """The transcriptions of an engine."""

    @overload
    async def create(
        self,
        *,
        stream: Literal[True],
        response_format: Literal["json", "text"] = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> AsyncStream[TranscriptionTextDeltaEvent | TranscriptionTextDoneEvent]: ...
    @overload
    async def create(
        self,
        *,
        response_format: Literal["verbose_json"],
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> TranscriptionVerbose: ...
    @overload
    async def create(
        self,
        *,
        response_format: _AudioText,
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> str: ...
    @overload
    async def create(
        self,
        *,
        response_format: Literal["json"] = ...,
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> Transcription: ...
    async def create(self, **params: Any) -> Any:
        """Writes down what is said in a file, as `Engine`'s does.

        `file` is read at once. Gives a `Transcription`; a `TranscriptionVerbose` for
        `response_format="verbose_json"`; the text for `"text"`, `"srt"` and `"vtt"`; or an
        `AsyncStream` of events if `stream` is true.
        """
        engine = await self._engine._loaded()
        reply = await _reply(engine.audio.transcriptions._submit(**params))
        return AsyncStream(reply) if isinstance(reply, Stream) else reply

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = Transcriptions.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<audio.transcriptions of {self._engine!r}>"


class AsyncTranslations(_Part):
    """The translations of an engine."""

    @overload
    async def create(
        self, *, response_format: Literal["verbose_json"], **params: Unpack[_SpeechParams]
    ) -> TranslationVerbose: ...
    @overload
    async def create(
        self, *, response_format: _AudioText, **params: Unpack[_SpeechParams]
    ) -> str: ...
    @overload
    async def create(
        self, *, response_format: Literal["json"] = ..., **params: Unpack[_SpeechParams]
    ) -> Translation: ...
    async def create(self, **params: Any) -> Any:
        """Writes down in English what is said in a file, as `Engine`'s does.

        Gives a `Translation`, a `TranslationVerbose` or the text.
        """
        engine = await self._engine._loaded()
        return await _reply(engine.audio.translations._submit(**params))

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = Translations.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<audio.translations of {self._engine!r}>"


class AsyncBatches(_Part):
    """The batches of an engine: files of requests, answered in the background, one after another.

    They and their files are in memory and go with the engine; `AsyncEngine.batch` is for what must
    outlive the process.
    """

    # None takes longer than looking something up.

    async def create(self, **params: Unpack[_BatchParams]) -> Batch:
        """Begins to answer a file of requests, which was kept for the purpose `"batch"`.

        It returns at once; ask `retrieve` how far it is. `endpoint` is the path of all its
        requests, such as `"/v1/chat/completions"`. `completion_window` is always `"24h"`, also if
        it is left out.
        """
        return (await self._engine._loaded()).batches.create(**params)

    create.__wrapped__ = Batches.create  # type: ignore[attr-defined]

    async def retrieve(self, batch_id: str) -> Batch:
        """The batch of this id. Raises `NotFoundError` if there is none."""
        return (await self._engine._loaded()).batches.retrieve(batch_id)

    async def list(self, *, after: str | None = None, limit: int | None = None) -> AsyncBatchPage:
        """The batches: those behind the one of the id `after`, at most `limit` (by default 20).

        The newest come first.
        """
        return (await self._engine._loaded()).batches._async_list(after=after, limit=limit)

    async def cancel(self, batch_id: str) -> Batch:
        """Ends the batch of this id. What it has finished stays, in its files."""
        return (await self._engine._loaded()).batches.cancel(batch_id)

    def __repr__(self) -> str:
        return f"<batches of {self._engine!r}>"


class AsyncFiles(_Part):
    """The files of an engine."""

    async def create(
        self,
        *,
        file: FileTypes,
        purpose: _FilePurpose,
        expires_after: _ExpiresAfter | None = None,
    ) -> FileObject:
        """Keeps a file, in memory, as long as the engine.

        `file` is what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and one
        of these. It is read at once.
        """
        engine = await self._engine._loaded()
        pending = engine.files._submit(file=file, purpose=purpose, expires_after=expires_after)
        try:
            reply: FileObject = await ready(pending.poll, None)
        finally:
            pending.close()
        return reply

    # The others take no longer than looking something up.

    async def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        purpose: _ListedPurpose | None = None,
    ) -> AsyncCursorPage:
        """The files: those behind the one of the id `after`, at most `limit`.

        The newest come first unless `order` is `"asc"`.
        """
        files = (await self._engine._loaded()).files
        return files._async_list(after=after, limit=limit, order=order, purpose=purpose)

    async def retrieve(self, file_id: str) -> FileObject:
        """The file of this id. Raises `NotFoundError` if there is none."""
        return (await self._engine._loaded()).files.retrieve(file_id)

    async def content(self, file_id: str) -> BinaryResponseContent:
        """What is in the file of this id."""
        return (await self._engine._loaded()).files.content(file_id)

    async def delete(self, file_id: str) -> FileDeleted:
        """Deletes the file of this id."""
        return (await self._engine._loaded()).files.delete(file_id)

    def __repr__(self) -> str:
        return f"<files of {self._engine!r}>"


class AsyncModels(_Part):
    """The models as the API lists them."""

    def list(self) -> AsyncListing:
        """Every name that requests may use in `model`.

        Await it for a page, or iterate over it: `async for model in engine.models.list()`.
        """
        return AsyncListing(self._engine)

    async def retrieve(self, model: str) -> Model:
        """The model of this name. Raises `NotFoundError` if there is none."""
        # It takes no longer than looking the name up.
        return (await self._engine._loaded()).models.retrieve(model)

    async def delete(self, model: str) -> ModelDeleted:
        """Unloads a model that `load` has loaded, as `Engine.models.delete` does."""
        return await _reply((await self._engine._loaded()).models._submit_delete(model))

    def __repr__(self) -> str:
        return f"<models of {self._engine!r}>"


class AsyncListing(_Part):
    """A list of models on its way."""

    def __await__(self) -> Generator[Any, Any, AsyncPage]:
        return self._page().__await__()

    async def __aiter__(self) -> AsyncIterator[Model]:
        for model in (await self._page()).data:
            yield model

    async def _page(self) -> AsyncPage:
        return (await self._engine._loaded()).models._async_list()


async def each(items: list[_T]) -> AsyncIterator[_T]:
    """The items, for `async for`; pages iterate over their data with it."""
    for item in items:
        yield item


class AsyncStream(Generic[_T_co]):
    """The pieces of an answer, as they are generated.

    Iterate over it with `async for`. Closing it, leaving its `async with` block, dropping it, or
    cancelling a task that waits for a piece stops the generation.
    """

    def __init__(self, stream: Stream[_T_co]) -> None:
        self._stream = stream

    @property
    def response(self) -> Response:
        """The status and headers of the reply."""
        return self._stream.response

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T_co:
        try:
            (piece,) = await ready(self._stream._poll, self._stream._timeout)
        except BaseException:
            self._stream.close()
            raise
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def close(self) -> None:
        """Stops the generation if it still runs. Closing twice is fine."""
        self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._stream.close()

    def __repr__(self) -> str:
        return repr(self._stream).replace("Stream", "AsyncStream", 1)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an AsyncStream cannot be pickled or copied: it is an answer that is being generated"
        )
