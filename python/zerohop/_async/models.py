"""The models, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .part import Part
from .reply import reply

if TYPE_CHECKING:
    from typing import Unpack

    from .._native import AsyncPage, Model, ModelDeleted, _CallOptions
    from .pages import AsyncPaginator


class AsyncModels(Part):
    """The models as the API lists them."""

    def list(self, **options: Unpack[_CallOptions]) -> AsyncPaginator[Model, AsyncPage[Model]]:
        """Every name that requests may use in `model`.

        Await it for a page, or iterate over it: `async for model in engine.models.list()`.
        """
        return self._pages(lambda calls: calls.models.list(**options))

    async def retrieve(self, model: str, **options: Unpack[_CallOptions]) -> Model:
        """The model of this name. Raises `NotFoundError` if there is none."""
        return await reply((await self._calls()).models.retrieve(model, **options))

    async def delete(self, model: str, **options: Unpack[_CallOptions]) -> ModelDeleted:
        """Unloads a model that `load` has loaded, as `Engine.models.delete` does."""
        return await reply((await self._calls()).models.delete(model, **options))

    def __repr__(self) -> str:
        return f"<models of {self._engine!r}>"
