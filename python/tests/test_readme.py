"""The README's Python program, as it stands there."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_python_program_runs(qwen, run_python):
    [program] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert '"model.gguf"' in program
    done = run_python(program.replace('"model.gguf"', repr(str(qwen))))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Paris" in done.stdout
