"""The real openai SDK, with an engine of this process in place of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from ._async import AsyncEngine
from ._native import Engine, ModelOptions
from ._transport import BASE_URL, _library, async_client_of, client_of

if TYPE_CHECKING:
    import openai

_T = TypeVar("_T")
_Path = str | os.PathLike[str]
_Models = _Path | ModelOptions | Mapping[str, _Path | ModelOptions]


def OpenAI(model: _Models | Engine, /, **options: Any) -> openai.OpenAI:
    """A real `openai.OpenAI` whose requests are answered in this process.

    `model` is an `Engine`, or what `Engine` takes; a model loaded here is unloaded when the client
    is closed. `options` are those of `openai.OpenAI`; it needs no `api_key`.
    """
    sdk = _sdk()
    return _client(sdk.OpenAI, client_of, model, options)  # type: ignore[no-any-return]


def AsyncOpenAI(model: _Models | Engine | AsyncEngine, /, **options: Any) -> openai.AsyncOpenAI:
    """A real `openai.AsyncOpenAI` whose requests are answered in this process.

    As `OpenAI`. Loading a model here holds up the event loop meanwhile: give it an `AsyncEngine`,
    which loads at the first request and does not.
    """
    sdk = _sdk()
    return _client(sdk.AsyncOpenAI, async_client_of, model, options)  # type: ignore[no-any-return]


def _sdk() -> Any:
    try:
        return import_module("openai")
    except ModuleNotFoundError as error:
        if error.name != "openai":
            raise
        raise ImportError(
            "openai is not installed: `pip install openai`, or `pip install zerohop[openai]`",
            name="openai",
        ) from None


def _client(
    kind: Any, http_client: Any, model: _Models | Engine | AsyncEngine, options: dict[str, Any]
) -> Any:
    if "http_client" in options:
        raise TypeError(
            "http_client is the engine's here; for a client of your own, give it "
            "`zerohop.transport(engine)` and pass it to openai's class"
        )
    options = {"base_url": BASE_URL} | options
    # `os.environ.get("OPENAI_API_KEY")`, as openai's own examples have it, may well be None.
    if options.get("api_key") is None:
        options["api_key"] = "unused"
    if isinstance(model, Engine | AsyncEngine):
        return kind(http_client=http_client(model, _library(None), False), **options)
    engine = Engine(model)
    try:
        return kind(http_client=http_client(engine, _library(None), True), **options)
    except BaseException:
        engine.close()
        raise
