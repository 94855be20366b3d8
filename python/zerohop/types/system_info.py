"""This build and the machine that it runs on."""

from .._native import SystemInfo

__all__ = ["SystemInfo"]
