"""The exceptions, with the names and attributes of openai's SDK where it has them.

They are Python classes, because those can have two bases: ours and the fitting builtin. The native
module calls the functions at the end to make them.

Where openai has been imported, exceptions are made of classes that are openai's too, so that
`except openai.RateLimitError` catches ours.
"""

import errno as errno_codes
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar

from ._response import Response

_T = TypeVar("_T")


class ZerohopError(Exception):
    """The base of all exceptions of this package.

    `code` is a stable word for programs, where there is one.

    Once openai has been imported, exceptions are openai's of the same name too, and all of them its
    `OpenAIError`.
    """

    message: str
    code: str | None = None

    def __new__(cls, *args: Any, **_keywords: Any) -> Self:
        return super().__new__(_with_openais(cls), *args)

    def __init__(self, message: str) -> None:
        # Not `super()`, which may be a class of openai's, with arguments of its own.
        Exception.__init__(self, message)
        self.message = message

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the class with `args`, which lack the keywords.
        return _restored, (_public_class(self), self.args, self.__dict__.copy())


# Classes that are ours and openai's, by ours.
_BOTH: dict[type, type] = {}


def _with_openais(kind: type[_T]) -> type[_T]:
    """The class that exceptions of a class are made of."""
    openai = sys.modules.get("openai")
    # While it is being imported, it has none yet.
    base = getattr(openai, "OpenAIError", None)
    if base is None or issubclass(kind, base):
        return kind
    if kind not in _BOTH:
        names = ["OpenAIError" if c is ZerohopError else c.__name__ for c in kind.__mro__]
        found = (getattr(openai, name, None) for name in names)
        theirs = next(c for c in found if isinstance(c, type) and issubclass(c, base))
        members = {"__module__": kind.__module__, "__doc__": kind.__doc__}
        _BOTH.setdefault(kind, type(kind.__name__, (kind, theirs), members))
    return _BOTH[kind]


def _public_class(error: ZerohopError) -> type[ZerohopError]:
    """The class that has the name that it says."""
    kind = type(error)
    return next((ours for ours, both in _BOTH.items() if both is kind), kind)


def _restored(
    kind: type[ZerohopError], args: tuple[object, ...], state: dict[str, object]
) -> ZerohopError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class APIError(ZerohopError):
    """What the API answers with an error, or fails to answer.

    `body` is the error object of the reply, if there is one; `code`, `param` and `type` are its
    fields. `request` is always None: nothing was sent anywhere.
    """

    request: None
    body: object | None
    code: str | None = None
    param: str | None = None
    type: str | None = None

    def __init__(self, message: str, request: None = None, *, body: object | None = None) -> None:
        super().__init__(message)
        self.request = request
        self.body = body
        if isinstance(body, Mapping):
            self.code = _text(body.get("code"))
            self.param = _text(body.get("param"))
            self.type = _text(body.get("type"))


class APIStatusError(APIError):
    """A reply with a status of 400 or more.

    `request_id` is None for a request that was refused before it reached the engine.
    """

    response: Response
    status_code: int
    request_id: str | None

    def __init__(self, message: str, *, response: Response, body: object | None) -> None:
        super().__init__(message, body=body)
        self.response = response
        self.status_code = response.status_code
        self.request_id = response.headers.get("x-request-id")


class APIConnectionError(APIError):
    """No reply."""

    def __init__(self, *, message: str = "Connection error.", request: None = None) -> None:
        super().__init__(message, request)


class APITimeoutError(APIConnectionError):
    """No reply within the request's `timeout`; the request has been cancelled."""

    def __init__(self, request: None = None) -> None:
        super().__init__(message="Request timed out.", request=request)


class BadRequestError(APIStatusError):
    """400: a request that cannot be served as it is; `param` names what is wrong."""


class AuthenticationError(APIStatusError):
    """401: a missing or wrong API key."""


class PermissionDeniedError(APIStatusError):
    """403: a request that is understood and refused."""


class NotFoundError(APIStatusError):
    """404: an unknown model or path."""


class ConflictError(APIStatusError):
    """409: a request that contradicts the state of an object."""


class UnprocessableEntityError(APIStatusError):
    """422: a request that is well-formed and makes no sense."""


class RateLimitError(APIStatusError):
    """429: the queue or a rate limit is full; the `retry-after` header says when to try again."""


class InternalServerError(APIStatusError):
    """500 and up: a fault of the engine, or too little memory for the request."""


class ModelFileError(ZerohopError, OSError):
    """A model file that cannot be read."""

    # An `OSError` takes its fields here if it has a `__new__` of its own.
    def __new__(cls, message: str, errno: int | None = None, filename: str | None = None) -> Self:
        return OSError.__new__(_with_openais(cls), errno, message, filename)

    def __init__(self, message: str, errno: int | None = None, filename: str | None = None) -> None:
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        arguments = (self.message, self.errno, self.filename)
        return _public_class(self), arguments, self.__dict__.copy()


class ModelNotFoundError(ModelFileError, FileNotFoundError):
    """A model file that does not exist."""


class InvalidModelError(ZerohopError, ValueError):
    """A file that is no usable model: not GGUF, truncated, or refused by the backend."""


class InvalidArgumentError(ZerohopError, ValueError):
    """An option or argument outside its range."""


class EngineClosedError(ZerohopError, RuntimeError):
    """The engine has been closed."""


class ForkError(ZerohopError, RuntimeError):
    """The engine belongs to the process that this one was forked from."""


class RequestCancelledError(ZerohopError):
    """The request was cancelled, or the loading of a model stopped."""


# openai's name for the base, so that `except OpenAIError` moves over too.
OpenAIError = ZerohopError

# The class of a reply's status (ER2).
_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}

# The class of each of the engine's kinds of errors (ErrorKind in core/src/api/error.rs). A test
# compares this table with the engine's own list.
BY_KIND: dict[str, type[ZerohopError]] = {
    "InvalidRequest": BadRequestError,
    "Authentication": AuthenticationError,
    "PermissionDenied": PermissionDeniedError,
    "NotFound": NotFoundError,
    "Timeout": APIStatusError,
    "Conflict": ConflictError,
    "RateLimit": RateLimitError,
    "Internal": InternalServerError,
    "Unavailable": InternalServerError,
    "ModelFile": ModelFileError,
    "InvalidModel": InvalidModelError,
    "InvalidArgument": InvalidArgumentError,
    "Closed": EngineClosedError,
    "Cancelled": RequestCancelledError,
}


def class_for_status(status: int) -> type[APIStatusError]:
    """The class for a status of 400 or more."""
    return _BY_STATUS.get(status, InternalServerError if status >= 500 else APIStatusError)


def status_error(status: int, headers: Iterable[tuple[str, str]], body: object) -> APIStatusError:
    """The exception for a reply."""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    message = error.get("message") if isinstance(error, Mapping) else None
    return class_for_status(status)(
        message if isinstance(message, str) else f"Error code: {status} - {error}",
        response=Response(status, headers),
        body=error,
    )


def bad_request(param: str, message: str) -> APIStatusError:
    """The exception for a request that JSON cannot say, as the engine would answer it (ER3)."""
    error = {
        "message": f"'{param}' {message}",
        "type": "invalid_request_error",
        "param": param,
        "code": None,
    }
    return status_error(400, (), {"error": error})


def stream_error(error: object) -> APIError:
    """The exception for a failure that a stream reports after it began (CS11)."""
    message = error.get("message") if isinstance(error, Mapping) else error
    return APIError(
        message if isinstance(message, str) else "An error occurred during streaming", body=error
    )


def engine_error(
    kind: str, message: str, code: str | None, errno: int | None, filename: str | None
) -> ZerohopError:
    """The exception for an error of the engine outside of any reply."""
    error: ZerohopError
    if kind == "ModelFile":
        missing = errno == errno_codes.ENOENT
        error = (ModelNotFoundError if missing else ModelFileError)(message, errno, filename)
    else:
        error = BY_KIND.get(kind, ZerohopError)(message)
    error.code = code
    return error


def _text(value: object) -> str | None:
    return None if value is None else str(value)
