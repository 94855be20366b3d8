"""Files and batches, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .._native import Batches
from .part import Part
from .reply import reply

if TYPE_CHECKING:
    from typing import Unpack

    from .._files import BinaryResponseContent, FileTypes
    from .._native import (
        AsyncCursorPage,
        Batch,
        FileDeleted,
        FileObject,
        _BatchParams,
        _CallOptions,
        _ExpiresAfter,
        _FilePurpose,
        _ListedPurpose,
    )
    from .pages import AsyncPaginator


class AsyncFiles(Part):
    """The files of an engine."""

    async def create(
        self,
        *,
        file: FileTypes,
        purpose: _FilePurpose,
        expires_after: _ExpiresAfter | None = None,
        **options: Unpack[_CallOptions],
    ) -> FileObject:
        """Keeps a file, in memory, as long as the engine.

        `file` is what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and one
        of these. It is read at once.
        """
        calls = await self._calls()
        return await reply(
            calls.files.create(file=file, purpose=purpose, expires_after=expires_after, **options)
        )

    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        purpose: _ListedPurpose | None = None,
        **options: Unpack[_CallOptions],
    ) -> AsyncPaginator[FileObject, AsyncCursorPage[FileObject]]:
        """The files, in pages: await it, or iterate over it.

        Those behind the one of the id `after`, `limit` a page, the newest first unless `order` is
        `"asc"`.
        """
        return self._pages(
            lambda calls: calls.files.list(
                after=after, limit=limit, order=order, purpose=purpose, **options
            )
        )

    async def retrieve(self, file_id: str, **options: Unpack[_CallOptions]) -> FileObject:
        """The file of this id. Raises `NotFoundError` if there is none."""
        return await reply((await self._calls()).files.retrieve(file_id, **options))

    async def content(self, file_id: str, **options: Unpack[_CallOptions]) -> BinaryResponseContent:
        """What is in the file of this id."""
        return await reply((await self._calls()).files.content(file_id, **options))

    async def delete(self, file_id: str, **options: Unpack[_CallOptions]) -> FileDeleted:
        """Deletes the file of this id."""
        return await reply((await self._calls()).files.delete(file_id, **options))

    def __repr__(self) -> str:
        return f"<files of {self._engine!r}>"


class AsyncBatches(Part):
    """The batches of an engine: files of requests, answered in the background, one after another.

    They and their files are in memory and go with the engine; `AsyncEngine.batch` is for what must
    outlive the process.
    """

    async def create(self, **params: Unpack[_BatchParams]) -> Batch:
        """Begins to answer a file of requests, which was kept for the purpose `"batch"`.

        It returns at once; ask `retrieve` how far it is. `endpoint` is the path of all its
        requests, such as `"/v1/chat/completions"`. `completion_window` is always `"24h"`, also if
        it is left out.
        """
        return await reply((await self._calls()).batches.create(**params))

    create.__wrapped__ = Batches.create  # type: ignore[attr-defined]

    async def retrieve(self, batch_id: str, **options: Unpack[_CallOptions]) -> Batch:
        """The batch of this id. Raises `NotFoundError` if there is none."""
        return await reply((await self._calls()).batches.retrieve(batch_id, **options))

    def list(
        self, *, after: str | None = None, limit: int | None = None, **options: Unpack[_CallOptions]
    ) -> AsyncPaginator[Batch, AsyncCursorPage[Batch]]:
        """The batches, in pages: await it, or iterate over it.

        Those behind the one of the id `after`, `limit` a page (by default 20), the newest first.
        """
        return self._pages(lambda calls: calls.batches.list(after=after, limit=limit, **options))

    async def cancel(self, batch_id: str, **options: Unpack[_CallOptions]) -> Batch:
        """Ends the batch of this id. What it has finished stays, in its files."""
        return await reply((await self._calls()).batches.cancel(batch_id, **options))

    def __repr__(self) -> str:
        return f"<batches of {self._engine!r}>"
