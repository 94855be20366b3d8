"""The program that tries a version of openai's SDK, with the installed one.

`make ecosystem` runs it with older versions, down to 1.60.
"""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("sdk_versions.py")


def test_the_installed_sdk(tiny):
    result = subprocess.run(
        [sys.executable, str(PROGRAM), str(tiny)], capture_output=True, text=True, timeout=110
    )
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)
