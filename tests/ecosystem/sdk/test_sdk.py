"""What python/tests tries with the newest SDK, with the one that is installed here."""

import subprocess
import sys
from pathlib import Path

from support import model

PROGRAM = Path(__file__).parents[3] / "python/tests/sdk_versions.py"


def test_the_installed_sdk():
    command = [sys.executable, str(PROGRAM), str(model("tiny/tiny-llama.gguf"))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)
