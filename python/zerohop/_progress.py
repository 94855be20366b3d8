"""Bars that show how far a model has been loaded, or a batch computed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .types import BatchCounts


def bar(name: str) -> Callable[[float], None]:
    """A progress callback that shows a bar of tqdm's: on stderr, or in a notebook as a widget."""
    tqdm = _tqdm()
    shown: Any = None

    def progress(fraction: float) -> None:
        nonlocal shown
        # What was downloaded is loaded next.
        if shown is None or fraction < shown.n:
            shown = tqdm(total=1.0, desc=name, bar_format="{l_bar}{bar}| {elapsed}")
        shown.update(fraction - shown.n)
        if fraction >= 1:
            shown.close()

    return progress


def batch_bar() -> Callable[[BatchCounts], None]:
    """The same for a batch."""
    shown = _tqdm()(desc="batch", unit="request")

    def progress(counts: BatchCounts) -> None:
        done = counts.completed + counts.failed
        shown.total = counts.total
        if counts.failed:
            shown.set_postfix(failed=counts.failed, refresh=False)
        shown.update(done - shown.n)
        if done == counts.total:
            shown.close()

    return progress


def _tqdm() -> Any:
    try:
        return import_module("tqdm.auto").tqdm
    except ModuleNotFoundError as error:
        if error.name not in ("tqdm", "tqdm.auto"):
            raise
        raise ImportError(
            "progress=True needs tqdm: `pip install tqdm`, or give a function of your own",
            name="tqdm",
        ) from None
