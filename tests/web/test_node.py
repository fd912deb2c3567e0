"""JavaScript that needs no browser: `node --test` of the files beside this one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest


def test_javascript_without_a_browser():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.findall(r"\d+", version)[0]) < 20:
        pytest.skip(f"node 20 is needed, this is {version.strip()}")
    files = sorted(str(path) for path in Path(__file__).parent.glob("*.test.mjs"))
    done = subprocess.run([node, "--test", "--test-reporter=tap", *files], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.findall(r"# pass (\d+)", done.stdout)[-1]) >= 25
