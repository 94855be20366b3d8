"""The engine for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self, overload

from .._exceptions import EngineClosedError
from .._native import Engine, _Loader
from .._wait import ready
from .audio import AsyncAudio
from .chat import AsyncChat
from .files import AsyncBatches, AsyncFiles
from .images import AsyncImages
from .models import AsyncModels
from .reply import reply
from .responses import AsyncResponses
from .texts import AsyncEmbeddings, AsyncLegacyCompletions

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Mapping
    from types import TracebackType
    from typing import Unpack

    from .._native import (
        BatchCounts,
        DetokenizeResponse,
        ModelInfo,
        ModelOptions,
        RerankResponse,
        TokenizeResponse,
        _DetokenizeParams,
        _ModelOptions,
        _Options,
        _RerankParams,
        _TokenizeParams,
    )

    _Path = str | os.PathLike[str]


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
        return await reply((await self._loaded())._pending.rerank(**params))

    async def tokenize(self, **params: Unpack[_TokenizeParams]) -> TokenizeResponse:
        """The tokens of a text or a conversation, as `Engine`'s does."""
        return await reply((await self._loaded())._pending.tokenize(**params))

    async def detokenize(self, **params: Unpack[_DetokenizeParams]) -> DetokenizeResponse:
        """The text of tokens, as `Engine`'s does."""
        return await reply((await self._loaded())._pending.detokenize(**params))

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
    def images(self) -> AsyncImages:
        """Images of texts and of images: `await engine.images.generate(...)`."""
        return AsyncImages(self)

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
