"""Which native library is used: the package's own, or one with GPU code installed beside it."""

import os
import sys
from importlib.machinery import ExtensionFileLoader, PathFinder

_NAME = "zerohop._native"
# The best first.
_BACKENDS = ("cuda", "vulkan")


def _load(backend: str) -> None:
    """Takes the library of a package, in place of the package's own, if it can be loaded."""
    # Not for everybody: they take long to import.
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import module_from_spec, spec_from_file_location

    found = PathFinder.find_spec(f"zerohop_{backend}")
    if found is None or found.origin is None:
        raise ImportError(f"the package zerohop-{backend} is not installed")
    try:
        own, other = version("zerohop"), version(f"zerohop-{backend}")
    except PackageNotFoundError as error:
        raise ImportError(f"there is no package {error}") from error
    if own != other:
        raise ImportError(f"zerohop is {own}, and zerohop-{backend} is {other}: install the same")
    path = os.path.join(os.path.dirname(found.origin), "_native.abi3.so")
    spec = spec_from_file_location(_NAME, path, loader=ExtensionFileLoader(_NAME, path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no library")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    # What importing a module does besides running it.
    sys.modules[_NAME] = module
    package, _, name = _NAME.rpartition(".")
    setattr(sys.modules[package], name, module)


def _warn(text: str, *values: object) -> None:
    import logging

    logger = logging.getLogger("zerohop")
    # As libraries should: without a handler, Python would write warnings to stderr.
    logger.addHandler(logging.NullHandler())
    logger.warning(text, *values)


def _choose() -> None:
    chosen = os.environ.get("ZEROHOP_BACKEND", "")
    candidates = [name for name in _BACKENDS if chosen in ("", name)]
    if chosen != "cpu" and not candidates:
        _warn("ZEROHOP_BACKEND is %r: cpu, cuda, vulkan", chosen)
    for backend in candidates:
        if not chosen and PathFinder.find_spec(f"zerohop_{backend}") is None:
            continue
        try:
            _load(backend)
        except ImportError as error:
            _warn("zerohop-%s is not used: %s", backend, error)
        else:
            return


_choose()
