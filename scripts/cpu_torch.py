"""Print the options with which pip takes torch's CPU build, a thirtieth of the CUDA build's size; or nothing.

Nothing is printed where an NVIDIA card is, where pip's usual index holds the CPU build (macOS, Windows), and where the
index of CPU builds doesn't answer within three seconds. PLANARIA_TORCH_INDEX names another index, or none if empty.
Used by the Makefile and by the lines in README; it needs nothing but Python.
"""

import os
import platform
import shutil
import threading
import urllib.request
from pathlib import Path

INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS = 3.0


def card() -> bool:
    """Whether this machine has an NVIDIA card."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def answers(index: str, seconds: float) -> bool:
    """Whether `index` serves torch within `seconds`, looking its name up included."""
    found: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{index}/torch/", timeout=seconds) as page:
                found.append(page.status == 200)
        except (OSError, ValueError):
            found.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return bool(found and found[0])


def options(seconds: float = SECONDS) -> str:
    """Options for `pip install`; empty where pip should choose by itself. The index has `seconds` to answer."""
    index = os.environ.get("PLANARIA_TORCH_INDEX", INDEX).rstrip("/")
    if platform.system() != "Linux" or card() or not index or not answers(index, seconds):
        return ""
    return f"--extra-index-url {index}"


if __name__ == "__main__":
    print(options(), flush=True)
    os._exit(0)  # a look-up that hangs is not waited for
