"""Waiting for the engine in an event loop: asyncio, uvloop or trio."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from ._exceptions import APITimeoutError

_T = TypeVar("_T")
_Poll = Callable[[Callable[[Callable[[], object]], object], Callable[[], object]], _T | None]


def ready(poll: _Poll[_T], timeout: float | None) -> Awaitable[_T]:
    """What `poll` gives when it is ready, awaited in whatever event loop runs."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return _in_trio(trio, poll, timeout)
    return _in_asyncio(poll, timeout)


async def _in_asyncio(poll: _Poll[_T], timeout: float | None) -> _T:
    import asyncio

    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    while True:
        future = loop.create_future()
        wake = partial(_wake, future)
        if (value := poll(loop.call_soon_threadsafe, wake)) is not None:
            return value
        if deadline is None:
            await future
            continue
        if loop.time() >= deadline:
            raise APITimeoutError
        timer = loop.call_at(deadline, wake)
        try:
            await future
        finally:
            timer.cancel()


def _wake(future: Any) -> None:
    if not future.done():
        future.set_result(None)


async def _in_trio(trio: Any, poll: _Poll[_T], timeout: float | None) -> _T:
    token = trio.lowlevel.current_trio_token()
    deadline = float("inf") if timeout is None else trio.current_time() + timeout
    # One that has just passed still lets through what is ready.
    with trio.CancelScope(deadline=deadline):
        while True:
            event = trio.Event()
            if (value := poll(token.run_sync_soon, event.set)) is not None:
                return value
            await event.wait()
    raise APITimeoutError
