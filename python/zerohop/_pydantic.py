"""The API's objects as fields of pydantic's models, for FastAPI say."""

from typing import TYPE_CHECKING, Any

from ._native import BaseModel

if TYPE_CHECKING:
    from pydantic_core import CoreSchema


def core_schema(kind: type[BaseModel]) -> "CoreSchema":
    """How pydantic validates and writes objects of a class."""
    # Whoever calls this has it.
    from pydantic_core import core_schema

    def validate(value: Any) -> BaseModel:
        return value if isinstance(value, kind) else kind.model_validate(value)

    return core_schema.no_info_after_validator_function(
        validate,
        core_schema.any_schema(),
        serialization=core_schema.plain_serializer_function_ser_schema(kind.model_dump),
    )
