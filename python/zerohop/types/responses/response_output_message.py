"""What the model says. It can be sent back as input, as all items can."""

from ..._native import ResponseOutputMessage

__all__ = ["ResponseOutputMessage"]
