"""The package is whole, with a compiler and without one."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.long
@pytest.mark.parametrize("how", [{"CXX": "/no/such/compiler", "CC": "/no/such/compiler"}, {"PLANARIA_PURE": "1"}])
def test_without_a_compiler_the_pure_package_is_built(how, tmp_path):
    words = ["pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", str(tmp_path)]
    words += ["--config-settings", f"build-dir={tmp_path / 'build'}"]
    subprocess.run([sys.executable, "-m", *words, str(ROOT)], env=os.environ | how, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("planaria/")}
    files = [f for f in (ROOT / "src" / "planaria").rglob("*") if f.is_file() and f.suffix != ".pyc"]
    assert {f.relative_to(ROOT / "src").as_posix() for f in files} <= inside
    assert not any(name.endswith((".so", ".cpp", ".pyc")) for name in inside)
