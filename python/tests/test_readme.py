"""The README's Python programs, as they stand there."""

import re
from pathlib import Path

from support import model

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_python_programs_run(qwen, run_python):
    programs = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(programs) == 8
    # There is an adapter for a tiny model only.
    [adapted] = [index for index, program in enumerate(programs) if '"lora.gguf"' in program]
    adapter = (model("tiny/tiny-llama.gguf"), model("tiny/tiny-lora.gguf"))
    for name, path in zip(("model", "lora"), adapter, strict=True):
        programs[adapted] = programs[adapted].replace(f'"{name}.gguf"', repr(str(path)))
    # One goes on where the other ends.
    program = "".join(programs) + "client.close()"
    minilm = model("all-minilm-l6-v2-f16.gguf")
    files = {
        "model": qwen,
        "all-minilm-l6-v2": minilm,
        "coder": qwen,
        "reranker": model("tiny/tiny-rank.gguf"),
    }
    for name, path in files.items():
        assert f'"{name}.gguf"' in program
        program = program.replace(f'"{name}.gguf"', repr(str(path)))
    for name, path in {
        "ggml-tiny.en.bin": model("whisper-tiny.en-f16.bin"),
        "meeting.mp3": model("speech") / "garden.mp3",
    }.items():
        assert f'"{name}"' in program
        program = program.replace(f'"{name}"', repr(str(path)))
    done = run_python(program)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(
        word in done.stdout for word in ["Paris", "Rome", "Madrid", "a + b", "Ada", "new car"]
    )
    # Of three vectors with the first.
    assert re.search(r"^\[(1|0\.9{3})\S* +0\.[67]\d* +0\.[0-3]\d* *\]$", done.stdout, re.M)
