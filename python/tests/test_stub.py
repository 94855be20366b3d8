"""The type stub says what the compiled module is."""

import subprocess
import sys
from pathlib import Path

ALLOWLIST = Path(__file__).with_name("stubtest-allowlist.txt")
PROGRAM = Path(__file__).with_name("typed_usage.py")


def test_the_stub_matches_the_module():
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--allowlist", str(ALLOWLIST)]
    result = subprocess.run([*command, "zerohop"], capture_output=True, text=True, timeout=110)
    assert result.returncode == 0, result.stdout + result.stderr


def test_programs_type_check(tmp_path):
    # `make types` does the same with pyright.
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(PROGRAM)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
