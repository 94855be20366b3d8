"""The Python programs of the guides, as they stand there.

```py blocks are those of other libraries, or need a cluster; ecosystem.md's and Ray's are run by
`make ecosystem`, batches.md's first by test_batches.py.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, model, picture

SMOLLM2 = "smollm2-135m-instruct-q4_1.gguf"
FILES = {
    '"model.gguf"': SMOLLM2,
    '"embedding-model.gguf"': "all-minilm-l6-v2-f16.gguf",
    '"ranking-model.gguf"': "tiny/tiny-rank.gguf",
    '"ggml-tiny.en.bin"': "whisper-tiny.en-f16.bin",
    '"meeting.mp3"': "speech/garden.mp3",
    '"vision-model.gguf"': "tiny/qwen2vl/tiny-qwen2vl.gguf",
    '"mmproj.gguf"': "tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf",
}
# What each page prints, among other things.
GUIDES = {
    "index": ["Paris"],
    "chat": ["Paris", "stop", "['small', 'large']", "400 messages", " tokens"],
    "tools": ["get_weather"],
    "structured-outputs": [r"(city|town|village)\n", r"name='.*' is_capital=(True|False)"],
    "audio": ["garden", r"\n1\n00:00:0", r"\n +0\.\d\d +\d\.\d\d \w"],
    "media": [r"^\d\d+\nTrue\n$"],
    "embeddings": [r"\(3, 384\)", r"\d 0\.\d"],
    "threads": [r"\n4\n"],
    "capacity": [r"^\d+\nTrue\n$"],
    "safety": ["^True\n$"],
    "from-hosted": ["Paris", "messages "],
    "from-llama-cpp-python": [r"\n8\n\[\d+"],
    "from-xllamacpp": ["Paris"],
}


def programs(page: str) -> list[str]:
    text = (ROOT / f"docs/{page}.md").read_text()
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", GUIDES)
def test_the_programs_run(page, tmp_path):
    # One goes on where the other ends.
    program = "\n".join(programs(page))
    for name, file in FILES.items():
        program = program.replace(name, repr(str(model(file))))
    (tmp_path / "cat.png").write_bytes(picture(1))
    file = tmp_path / "guide.py"
    file.write_text(program)
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, timeout=100, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    for part in GUIDES[page]:
        assert re.search(part, done.stdout), done.stdout


def test_no_page_is_left_out():
    others = {"batches", "ecosystem", "operations"}
    pages = {path.stem for path in Path(ROOT / "docs").glob("*.md") if programs(path.stem)}
    assert pages == GUIDES.keys() | others
