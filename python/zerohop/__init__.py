"""Runs GGUF models in this process and answers in the OpenAI API's own shapes.

    import zerohop

    engine = zerohop.Engine("qwen.gguf")
    reply = engine.chat.completions.create(
        messages=[{"role": "user", "content": "What is the capital of France?"}]
    )
    print(reply.choices[0].message.content)

Requests, replies, streams and exceptions are those of openai's SDK. Any number of threads may use
one engine; other threads run on while it computes, and Ctrl-C stops a generation.
"""

from . import types
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
from ._native import Engine, ModelOptions, Stream, __version__, devices

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
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
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestCancelledError",
    "Stream",
    "UnprocessableEntityError",
    "ZerohopError",
    "__version__",
    "devices",
    "types",
]

# Tracebacks and `repr` name the exceptions as users import them.
for _name in __all__:
    _public = globals()[_name]
    if isinstance(_public, type) and _public.__module__ == "zerohop._exceptions":
        _public.__module__ = "zerohop"
del _name, _public
