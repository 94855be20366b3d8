"""The head of a reply, under the names that httpx and so openai's SDK use."""

from collections.abc import Iterable, Iterator, Mapping


class Headers(Mapping[str, str]):
    """Headers by name, in whatever case."""

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = {name.lower(): value for name, value in items}

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"


class Response:
    """The status and headers of a reply."""

    def __init__(self, status_code: int, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.status_code = status_code
        self.headers: Headers = Headers(headers)

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"
