"""Ask whether a stranger's pip can resolve `.[dev]` under constraints.txt, on each Python that is supported.

Only the usual package index is asked: pip's configuration files and links to other places are left out, since they can
hide a set that nobody else can install. Says `not tried` where no index answers. Exit code 1 where a set can't be
resolved. Nothing is installed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
PIP = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--disable-pip-version-check"]
CONFLICT = ("ResolutionImpossible", "No matching distribution")
"""What pip says where the set itself is at fault, and no network."""
LOCAL = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "PIP_NO_INDEX")


def strangers_environment() -> dict[str, str]:
    """The environment without what makes this machine's pip find other packages than anybody's."""
    kept = {name: value for name, value in os.environ.items() if name not in LOCAL}
    return kept | {"PIP_CONFIG_FILE": os.devnull}


def index_answers(env: dict[str, str]) -> bool:
    """Whether the package index can be reached at all."""
    words = [*PIP, "--quiet", "--no-deps", "--retries", "1", "--timeout", "10", "wheel"]
    return subprocess.run(words, env=env, capture_output=True, check=False).returncode == 0


def main() -> int:
    """Resolve for every Python at once; a line for each."""
    env = strangers_environment()
    if not index_answers(env):
        print("not tried: no package index answers")
        return 0
    running = {}
    with tempfile.TemporaryDirectory() as target:
        for version in PYTHONS:
            foreign = ["--python-version", version, "--only-binary=:all:", "--target", target]
            own = version == f"{sys.version_info.major}.{sys.version_info.minor}"
            words = [*PIP, "--quiet", "-c", "constraints.txt", *([] if own else foreign), ".[dev]"]
            running[version] = subprocess.Popen(
                words, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        said = {version: process.communicate()[1] for version, process in running.items()}
    conflicts = 0
    for version, process in running.items():
        conflict = any(word in said[version] for word in CONFLICT)
        conflicts += conflict
        lost = "can not be resolved" if conflict else "not tried to its end"
        print(f"Python {version}: {'resolved' if process.returncode == 0 else lost}")
        if process.returncode:
            print(said[version])
    return int(conflicts > 0)


if __name__ == "__main__":
    sys.exit(main())
