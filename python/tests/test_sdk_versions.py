"""Every version of openai's SDK since 1.0 works; those before 3 build on httpx.

The older ones are fetched from the package index, each into an environment of its own, when
ZEROHOP_TEST_FULL is set (`make accept`).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import zerohop

PROGRAM = Path(__file__).with_name("sdk_versions.py")
OLDER = ["openai==2.54.0", "openai==1.109.1", "openai==1.60.2"]


def check(python: str | Path, model: Path) -> None:
    result = subprocess.run(
        [str(python), str(PROGRAM), str(model)], capture_output=True, text=True, timeout=200
    )
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_the_installed_sdk(tiny):
    check(sys.executable, tiny)


if "ZEROHOP_TEST_FULL" in os.environ:

    @pytest.mark.timeout(900)
    @pytest.mark.parametrize("requirement", OLDER)
    def test_an_older_sdk(tiny, tmp_path, requirement):
        python = tmp_path / "bin/python"
        subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", requirement], check=True)
        # The wheel under test, and nothing else of this environment.
        [packages] = tmp_path.glob("lib/python3.*/site-packages")
        (packages / "zerohop").symlink_to(Path(zerohop.__file__).parent)
        check(python, tiny)
