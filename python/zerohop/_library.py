"""Which native library is used: the package's own, or one with GPU code installed beside it."""

import logging
import os
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

_NAME = "zerohop._native"
# The best first.
_BACKENDS = ("cuda", "vulkan")


def _load(backend: str) -> None:
    """Takes the library of a package, in place of the package's own, if it can be loaded."""
    package = find_spec(f"zerohop_{backend}")
    if package is None or package.origin is None:
        raise ImportError(f"the package zerohop-{backend} is not installed")
    try:
        own, other = version("zerohop"), version(f"zerohop-{backend}")
    except PackageNotFoundError as error:
        raise ImportError(f"there is no package {error}") from error
    if own != other:
        raise ImportError(f"zerohop is {own}, and zerohop-{backend} is {other}: install the same")
    path = str(Path(package.origin).with_name("_native.abi3.so"))
    spec = spec_from_file_location(_NAME, path, loader=ExtensionFileLoader(_NAME, path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no library")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[_NAME] = module


def _choose() -> None:
    chosen = os.environ.get("ZEROHOP_BACKEND", "")
    candidates = _BACKENDS if not chosen else [name for name in _BACKENDS if name == chosen]
    if chosen and chosen != "cpu" and not candidates:
        logging.getLogger("zerohop").warning("ZEROHOP_BACKEND is %r: cpu, cuda, vulkan", chosen)
    for backend in candidates:
        if not chosen and find_spec(f"zerohop_{backend}") is None:
            continue
        try:
            _load(backend)
        except ImportError as error:
            logging.getLogger("zerohop").warning("zerohop-%s is not used: %s", backend, error)
        else:
            return


_choose()
