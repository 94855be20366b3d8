"""What the parts of an engine for event loops have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .pages import AsyncPaginator
from .reply import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import AsyncEngine


class Part:
    """A part of an engine, which lives as long."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def _calls(self) -> Any:
        """The native engine, whose calls give replies on their way."""
        return (await self._engine._loaded())._pending

    def _pages(self, ask: Callable[[Any], Any]) -> AsyncPaginator[Any, Any]:
        """The list that `ask` asks the native engine for."""

        async def first_page() -> Any:
            return await reply(ask(await self._calls()))

        return AsyncPaginator(first_page)
