"""Files that go in and come out, as openai's SDK has them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TypeAlias

FileContent: TypeAlias = IO[bytes] | bytes | os.PathLike[str]
FileTypes: TypeAlias = FileContent | tuple[str | None, FileContent]


def read_file(file: FileTypes) -> tuple[str, bytes]:
    """The name and the bytes of what openai's SDK takes as a file."""
    if isinstance(file, tuple):
        # The SDK also has a content type and headers, which are of no use to an engine.
        if len(file) != 2:
            raise TypeError("file: a tuple has to have a name and a content")
        name, content = file
        found, data = _read(content)
        return name or found, data
    return _read(file)


def _read(content: object) -> tuple[str, bytes]:
    if isinstance(content, bytes):
        return "upload", content
    if isinstance(content, os.PathLike):
        path = Path(content)
        return path.name, path.read_bytes()
    read = getattr(content, "read", None)
    if callable(read):
        data = read()
        if isinstance(data, bytes):
            name = getattr(content, "name", None)
            return Path(name).name if isinstance(name, str) else "upload", data
        raise TypeError("file: it has to be open for reading bytes, not text")
    raise TypeError(
        "file: bytes, an open file, a path, or a tuple of a name and one of these are needed, "
        f"not an object of type {type(content).__qualname__}"
    )


class BinaryResponseContent:
    """The bytes of a reply that is no JSON."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def content(self) -> bytes:
        """The bytes."""
        return self._content

    @property
    def text(self) -> str:
        """The bytes as UTF-8 text; what is none becomes U+FFFD."""
        return self._content.decode(errors="replace")

    def read(self) -> bytes:
        """The bytes."""
        return self._content

    def write_to_file(self, file: str | os.PathLike[str]) -> None:
        """Writes the bytes into a file."""
        Path(file).write_bytes(self._content)

    def __repr__(self) -> str:
        return f"<BinaryResponseContent of {len(self._content)} bytes>"
