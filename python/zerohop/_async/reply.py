"""Replies on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .._wait import ready

if TYPE_CHECKING:
    from .._native import _Pending

_T = TypeVar("_T")


async def reply(pending: _Pending[_T]) -> _T:
    """The reply that is on its way; leaving this cancels its request."""
    try:
        (value,) = await ready(pending.poll, pending.timeout)
    finally:
        pending.close()
    return value
