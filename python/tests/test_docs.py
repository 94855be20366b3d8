"""Everything public says what it is: `help()` and the reference show it."""

import inspect

import pytest

import zerohop
from zerohop import _native, pagination

UNNAMED = [
    _native.Chat,
    _native.Completions,
    _native.Messages,
    _native.LegacyCompletions,
    _native.Responses,
    _native.InputItems,
    _native.InputTokens,
    _native.Embeddings,
    _native.Files,
    _native.Batches,
    _native.Models,
    *(getattr(pagination, name) for name in pagination.__all__),
]
PUBLIC = [getattr(zerohop, name) for name in zerohop.__all__ if not name.startswith("__")]
TYPES = [getattr(zerohop.types, name) for name in zerohop.types.__all__]
OBJECTS = [thing for thing in [*PUBLIC, *TYPES, *UNNAMED] if not isinstance(thing, str)]
# The fields of the API's objects are those of the API's own reference; those of an option class
# are listed in its docstring.
FIELDS = (zerohop.types.BaseModel,)


def is_field(owner: type, member: object) -> bool:
    fields = issubclass(owner, FIELDS) or owner is zerohop.ModelOptions
    return fields and inspect.isdatadescriptor(member)


def undocumented(thing: object) -> list[str]:
    """A public name and its public members, as far as they have no docstring of their own."""
    if not isinstance(thing, type):
        return [] if isinstance(thing.__doc__, str) else [repr(thing)]
    members = [
        f"{thing.__name__}.{name}"
        for name, member in vars(thing).items()
        if not name.startswith("_")
        and (callable(member) or inspect.isdatadescriptor(member))
        and not is_field(thing, member)
        and not member.__doc__
    ]
    return ([] if vars(thing).get("__doc__") else [thing.__name__]) + members


@pytest.mark.parametrize("thing", OBJECTS, ids=lambda thing: getattr(thing, "__name__", "union"))
def test_it_is_documented(thing):
    assert undocumented(thing) == []


def test_what_has_no_docstring_is_found():
    class Silent:
        def act(self) -> None: ...

    assert undocumented(Silent) == ["Silent", "Silent.act"]


def test_options_are_listed():
    options = set(inspect.signature(zerohop.ModelOptions).parameters) - {"path"}
    text = inspect.getdoc(zerohop.ModelOptions)
    assert [option for option in sorted(options) if f"- `{option}`" not in text] == []
