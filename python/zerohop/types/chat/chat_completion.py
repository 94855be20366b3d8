"""A whole answer."""

from ..._native import ChatCompletion, Choice, ChoiceLogprobs

__all__ = ["ChatCompletion", "Choice", "ChoiceLogprobs"]
