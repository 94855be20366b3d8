"""A device that this build can compute on."""

from .._native import Device

__all__ = ["Device"]
