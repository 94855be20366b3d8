"""Transports whose other end is an engine in this process, for clients of httpx and httpx2.

The two libraries are one in all that matters here, but each insists on its own classes. So what the
transports do is written once, and the classes are made for a library when it is first asked for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeAlias, overload

from ._async import AsyncEngine
from ._exceptions import APITimeoutError, InvalidArgumentError, RequestCancelledError, ZerohopError
from ._wait import ready

if TYPE_CHECKING:
    import httpx
    import httpx2

    from ._native import Engine, _Events

    # What async clients take.
    _Engine: TypeAlias = Engine | AsyncEngine

BASE_URL = "http://zerohop.invalid/v1"
"""The `base_url` of clients. The host does not exist, and nobody asks for it."""

# As openai's SDK has it by default. A reply may be long in coming.
_TIMEOUT = 600.0
_CONNECT_TIMEOUT = 5.0


def _library(name: Literal["httpx", "httpx2"] | None) -> Any:
    """The HTTP library of this name; by default the one that the installed openai builds on."""
    if name is not None:
        if name not in ("httpx", "httpx2"):
            raise InvalidArgumentError(f"library must be 'httpx' or 'httpx2', but is {name!r}")
        return _imported(name)
    try:
        openai = import_module("openai")
    except ModuleNotFoundError as error:
        if error.name != "openai":
            raise
    else:
        for candidate in ("httpx2", "httpx"):
            library = sys.modules.get(candidate)
            # openai's is an alias of the library's own class.
            if library is not None and library.Timeout is openai.Timeout:
                return library
    for candidate in ("httpx2", "httpx"):
        try:
            return import_module(candidate)
        except ModuleNotFoundError as error:
            if error.name != candidate:
                raise
    raise ImportError(
        "an HTTP client needs httpx2 or httpx, and neither is installed: "
        "`pip install openai` brings one, or `pip install httpx2`"
    )


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(f"{name} is not installed: `pip install {name}`", name=name) from None


class _Door:
    """An engine as the library's transports use it."""

    # Set where the classes are made.
    http: Any
    _engine: Engine | AsyncEngine

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._engine!r}>"

    def _fail(self, request: Any, error: ZerohopError) -> NoReturn:
        """Raises the library's exception for one of ours."""
        if isinstance(error, APITimeoutError):
            kind = self.http.ReadTimeout
        elif isinstance(error, InvalidArgumentError):
            kind = self.http.LocalProtocolError
        elif isinstance(error, RequestCancelledError):
            kind = self.http.ReadError
        else:
            # Closed, or forked from the process that made it.
            kind = self.http.ConnectError
        raise kind(str(error), request=request) from error


class _SyncDoor(_Door):
    """Answers a client's requests with an engine of this process."""

    stream: Any

    def __init__(self, engine: Engine, owns_engine: bool) -> None:
        self._engine: Engine = engine
        self._owns_engine = owns_engine

    def handle_request(self, request: Any) -> Any:
        body = request.read()
        timeout = _read_timeout(request)
        target = request.url.raw_path.decode("ascii")
        headers = request.headers.raw
        try:
            status, names, reply = self._engine._request(
                request.method, target, headers, body, timeout
            )
        except ZerohopError as error:
            self._fail(request, error)
        if isinstance(reply, bytes):
            return self.http.Response(status, headers=names, content=reply)
        stream = self.stream(self, request, reply, timeout)
        return self.http.Response(status, headers=names, stream=stream)

    def close(self) -> None:
        if self._owns_engine:
            self._engine.close()


class _AsyncDoor(_Door):
    """Answers an async client's requests with an engine of this process."""

    stream: Any

    def __init__(self, engine: Engine | AsyncEngine, owns_engine: bool) -> None:
        self._owned: Engine | None = None
        if isinstance(engine, AsyncEngine):
            self._engine: AsyncEngine = engine
        else:
            self._engine = AsyncEngine(engine)
            self._owned = engine if owns_engine else None

    async def handle_async_request(self, request: Any) -> Any:
        body = await request.aread()
        timeout = _read_timeout(request)
        target = request.url.raw_path.decode("ascii")
        try:
            engine = await self._engine._loaded()
            pending = engine._submit(request.method, target, request.headers.raw, body)
            try:
                ((status, names, reply),) = await ready(pending.poll, timeout)
            finally:
                pending.close()
        except ZerohopError as error:
            self._fail(request, error)
        if isinstance(reply, bytes):
            return self.http.Response(status, headers=names, content=reply)
        stream = self.stream(self, request, reply, timeout)
        return self.http.Response(status, headers=names, stream=stream)

    async def aclose(self) -> None:
        if self._owned is not None:
            await ready(self._owned._close().poll, None)


class _Stream:
    """The body of a reply that comes in events."""

    def __init__(self, door: _Door, request: Any, events: _Events, timeout: float | None) -> None:
        self._door = door
        self._request = request
        self._events = events
        self._timeout = timeout

    def _end(self, error: BaseException) -> NoReturn:
        """Raises an exception that ends the stream, the library's in place of ours."""
        self._events.close()
        if isinstance(error, ZerohopError):
            self._door._fail(self._request, error)
        raise error


class _SyncStream(_Stream):
    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            event = self._events.next(self._timeout)
        except BaseException as error:
            self._end(error)
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        self._events.close()


class _AsyncStream(_Stream):
    # No generator: one that is left before its end is closed only when the event loop comes to it.
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            (event,) = await ready(self._events.poll, self._timeout)
        except BaseException as error:
            self._end(error)
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        self._events.close()


def _read_timeout(request: Any) -> float | None:
    """The seconds that a reply, or each event of it, may take."""
    timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeouts.get("read")


_classes: dict[str, tuple[Any, Any]] = {}


def _transports(http: Any) -> tuple[Any, Any]:
    """The sync and the async transport for a library."""

    def made(name: str, *bases: Any, **members: Any) -> Any:
        return type(name, bases, members | {"__module__": "zerohop", "__doc__": bases[0].__doc__})

    if http.__name__ not in _classes:
        sync = made("EngineStream", _SyncStream, http.SyncByteStream)
        asynchronous = made("AsyncEngineStream", _AsyncStream, http.AsyncByteStream)
        _classes[http.__name__] = (
            made("EngineTransport", _SyncDoor, http.BaseTransport, http=http, stream=sync),
            made(
                "AsyncEngineTransport",
                _AsyncDoor,
                http.AsyncBaseTransport,
                http=http,
                stream=asynchronous,
            ),
        )
    return _classes[http.__name__]


@overload
def transport(engine: Engine, *, library: Literal["httpx"]) -> httpx.BaseTransport: ...
@overload
def transport(engine: Engine, *, library: Literal["httpx2"]) -> httpx2.BaseTransport: ...
@overload
def transport(engine: Engine, *, library: None = None) -> Any: ...
def transport(engine: Engine, *, library: Literal["httpx", "httpx2"] | None = None) -> Any:
    """A transport for a client of `httpx` or `httpx2`: `httpx.Client(transport=...)`.

    `library` says for which; by default it is the one that the installed openai builds on. Closing
    the client leaves the engine open.
    """
    return _made(engine, _library(library), False)


@overload
def async_transport(engine: _Engine, *, library: Literal["httpx"]) -> httpx.AsyncBaseTransport: ...
@overload
def async_transport(
    engine: _Engine, *, library: Literal["httpx2"]
) -> httpx2.AsyncBaseTransport: ...
@overload
def async_transport(engine: _Engine, *, library: None = None) -> Any: ...
def async_transport(engine: _Engine, *, library: Literal["httpx", "httpx2"] | None = None) -> Any:
    """Like `transport`, for an `AsyncClient`, under asyncio or trio.

    An `AsyncEngine` that has not been loaded is loaded for the first request.
    """
    return _made_async(engine, _library(library), False)


@overload
def http_client(engine: Engine, *, library: Literal["httpx"]) -> httpx.Client: ...
@overload
def http_client(engine: Engine, *, library: Literal["httpx2"]) -> httpx2.Client: ...
@overload
def http_client(engine: Engine, *, library: None = None) -> Any: ...
def http_client(engine: Engine, *, library: Literal["httpx", "httpx2"] | None = None) -> Any:
    """A client whose requests the engine answers: `openai.OpenAI(http_client=...)`.

    It is of `httpx` or `httpx2`, as `library` says, and by default of the one that the installed
    openai builds on. The paths of its requests count, not the host: `BASE_URL` will do. Closing it
    leaves the engine open.
    """
    return client_of(engine, _library(library), False)


@overload
def async_http_client(engine: _Engine, *, library: Literal["httpx"]) -> httpx.AsyncClient: ...
@overload
def async_http_client(engine: _Engine, *, library: Literal["httpx2"]) -> httpx2.AsyncClient: ...
@overload
def async_http_client(engine: _Engine, *, library: None = None) -> Any: ...
def async_http_client(engine: _Engine, *, library: Literal["httpx", "httpx2"] | None = None) -> Any:
    """Like `http_client`, for `openai.AsyncOpenAI`, under asyncio or trio.

    An `AsyncEngine` that has not been loaded is loaded for the first request.
    """
    return async_client_of(engine, _library(library), False)


def client_of(engine: Engine, http: Any, owns_engine: bool) -> Any:
    """A client of a library; closing it closes the engine too if it owns that."""
    transport = _made(engine, http, owns_engine)
    return http.Client(transport=transport, timeout=_timeout(http), trust_env=False)


def async_client_of(engine: _Engine, http: Any, owns_engine: bool) -> Any:
    """Like `client_of`."""
    transport = _made_async(engine, http, owns_engine)
    return http.AsyncClient(transport=transport, timeout=_timeout(http), trust_env=False)


def _made(engine: Engine, http: Any, owns_engine: bool) -> Any:
    return _transports(http)[0](engine, owns_engine)


def _made_async(engine: _Engine, http: Any, owns_engine: bool) -> Any:
    return _transports(http)[1](engine, owns_engine)


def _timeout(http: Any) -> Any:
    return http.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT)
