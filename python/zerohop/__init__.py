"""Runs GGUF models in this process and answers in the OpenAI API's own shapes.

    import zerohop

    engine = zerohop.Engine("qwen.gguf")
    reply = engine.chat.completions.create(
        messages=[{"role": "user", "content": "What is the capital of France?"}]
    )
    print(reply.choices[0].message.content)

`AsyncEngine` is the same for event loops. `OpenAI(...)` and `AsyncOpenAI(...)` give the SDK of
openai itself, over an engine. Requests, replies, streams and
exceptions are those of openai's SDK. Any number of threads may use
one engine; other threads run on while it computes, and Ctrl-C stops a generation.
"""

# `_library` first: it chooses what `_native` is.
from . import _library as _library
from . import types
from ._async import AsyncEngine, AsyncStream
from ._exceptions import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    EngineClosedError,
    ForkError,
    InternalServerError,
    InvalidArgumentError,
    InvalidModelError,
    ModelFileError,
    ModelNotFoundError,
    NotFoundError,
    OpenAIError,
    PermissionDeniedError,
    RateLimitError,
    RequestCancelledError,
    UnprocessableEntityError,
    ZerohopError,
)
from ._native import Engine, ModelOptions, Stream, Vectors, __version__, devices, system_info
from ._openai import AsyncOpenAI, OpenAI
from ._transport import BASE_URL, async_http_client, async_transport, http_client, transport

__all__ = [
    "BASE_URL",
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncEngine",
    "AsyncOpenAI",
    "AsyncStream",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "Engine",
    "EngineClosedError",
    "ForkError",
    "InternalServerError",
    "InvalidArgumentError",
    "InvalidModelError",
    "ModelFileError",
    "ModelNotFoundError",
    "ModelOptions",
    "NotFoundError",
    "OpenAI",
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestCancelledError",
    "Stream",
    "UnprocessableEntityError",
    "Vectors",
    "ZerohopError",
    "__version__",
    "async_http_client",
    "async_transport",
    "devices",
    "http_client",
    "system_info",
    "transport",
    "types",
]

# Tracebacks, `repr` and `help` name things as users import them.
_PRIVATE = (
    "zerohop._async.engine",
    "zerohop._async.stream",
    "zerohop._exceptions",
    "zerohop._openai",
    "zerohop._transport",
)
for _name in __all__:
    _public = globals()[_name]
    if getattr(_public, "__module__", None) in _PRIVATE:
        _public.__module__ = "zerohop"
del _name, _public, _PRIVATE
