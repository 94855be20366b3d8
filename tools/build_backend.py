"""PEP 517 hooks: maturin's own, given the environment that the native build needs.

`pip install .` installs maturin, CMake, ninja and libclang (pyproject.toml pins them) into an
environment of its own, which it removes afterwards.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import maturin
from maturin import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

import buildenv
import command

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Mapping[str, Any] | None


def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    with _native_build():
        file: str = maturin.build_wheel(wheel_directory, config_settings, metadata_directory)
        return file


def build_editable(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    with _native_build():
        file: str = maturin.build_editable(wheel_directory, config_settings, metadata_directory)
        return file


@contextmanager
def _native_build() -> Iterator[None]:
    if buildenv.is_ready():
        buildenv.setup()
        os.environ.update(buildenv.environment(buildenv.tools_dir()))
        command.build()
        yield
        return
    program = shutil.which("maturin")
    if program is None:
        raise buildenv.SetupError("`maturin` is not on PATH: install it, or run `make setup`")
    # A build directory remembers where its CMake and ninja were, and these are about to vanish: the
    # shared one would be left broken if this build were interrupted.
    cache = buildenv.cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="target-") as target:
        os.environ.setdefault("CARGO_TARGET_DIR", target)
        os.environ.update(buildenv.environment(Path(program).parents[1]))
        command.build()
        yield
