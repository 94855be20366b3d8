"""The bar that shows how far a model has been loaded."""

import pickle

import pytest

import zerohop


def test_a_bar_is_shown(tiny, run_python):
    script = """
import asyncio, sys, zerohop
zerohop.Engine(sys.argv[1], threads=1, progress=True).close()
print("sync", file=sys.stderr)
async def main():
    async with zerohop.AsyncEngine(sys.argv[1], threads=1, progress=True):
        pass
asyncio.run(main())
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.returncode) == ("", 0)
    first, second = result.stderr.split("sync\n")
    for shown in [first, second]:
        assert shown.count("tiny-llama.gguf: 100%") >= 1 and shown.endswith("\n")


def test_a_bar_ends_with_a_failure(hostile, run_python):
    script = """
import sys, zerohop
for bad in sys.argv[1:]:
    try:
        zerohop.Engine(bad, progress=True)
    except zerohop.ZerohopError:
        pass
"""
    result = run_python(script, *hostile)
    assert (result.stdout, result.returncode) == ("", 0)
    assert "Traceback" not in result.stderr and "100%" not in result.stderr


def test_without_tqdm_there_is_no_bar(tiny, run_python):
    script = """
import sys, zerohop
sys.modules |= {"tqdm": None, "tqdm.auto": None}
zerohop.Engine(sys.argv[1], threads=1, progress=False).close()
try:
    zerohop.Engine(sys.argv[1], progress=True)
except ImportError as error:
    print(error, error.name)
"""
    result = run_python(script, tiny)
    assert (result.stderr, result.returncode) == ("", 0)
    assert "pip install tqdm" in result.stdout and result.stdout.endswith(" tqdm\n")


def test_it_is_an_option_like_others():
    options = zerohop.ModelOptions("m.gguf", progress=True)
    assert options.progress is True
    assert pickle.loads(pickle.dumps(options)) == options
    assert repr(options) == "ModelOptions('m.gguf', progress=True)"
    assert zerohop.ModelOptions("m.gguf", progress=False) == zerohop.ModelOptions("m.gguf")
    with pytest.raises(TypeError, match="progress"):
        zerohop.ModelOptions("m.gguf", progress=1)
