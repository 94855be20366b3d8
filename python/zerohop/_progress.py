"""A bar that shows how far a model has been loaded."""

from collections.abc import Callable
from importlib import import_module


def bar(name: str) -> Callable[[float], None]:
    """A progress callback that shows a bar of tqdm's: on stderr, or in a notebook as a widget."""
    try:
        tqdm = import_module("tqdm.auto").tqdm
    except ModuleNotFoundError as error:
        if error.name not in ("tqdm", "tqdm.auto"):
            raise
        raise ImportError(
            "progress=True needs tqdm: `pip install tqdm`, or give a function of your own",
            name="tqdm",
        ) from None
    shown = tqdm(total=1.0, desc=name, bar_format="{l_bar}{bar}| {elapsed}")

    def progress(fraction: float) -> None:
        shown.update(fraction - shown.n)
        if fraction >= 1:
            shown.close()

    return progress
