"""A table of hashes of what must stay the same bytes while the code is moved about.

    python benchmarks/hashes.py before.json            # write the table, about two minutes
    python benchmarks/hashes.py before.json --check    # make it anew and say what differs

In it: every model of the gallery after 200 steps on every engine that runs here, and of one short training a task the
weights, the card, the checkpoint and the files. Matrix products differ between processors, so compare on one machine.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open

import planaria as pl

GALLERY = ("lizard", "butterfly", "fish", "flower", "heart", "ladybird", "mushroom", "octopus", "planarian", "snail")
ENGINES = ("reference", "sparse", "native")
SHORT = ("train.steps=6", "train.checkpoint=3", "train.batch=2")
SMALL_RULE = ("rule.hidden=16", "train.rollout=8,12")
TRAININGS: dict[str, tuple[str, ...]] = {
    "grow": ("grow", "picture=heart", "size=16", "padding=4", "train.pool=8", *SHORT, *SMALL_RULE),
    "infect": ("infect", "host=heart", "picture=planarian", "train.pool=8", *SHORT, "train.rollout=8,12"),
    "texture": ("texture", "style=scene:fruit", "size=24", "train.pool=8", *SHORT, *SMALL_RULE),
    "style": ("style", "style=scene:fruit", "size=24", "train.pool=8", *SHORT, *SMALL_RULE),
    "video": ("video", "frames=sim:lenia", "size=24", *SHORT, *SMALL_RULE),
}
TIMED = ("metrics.jsonl", "README.md", "loss.png", "status.json", "model.safetensors", "checkpoint.safetensors")


def digest(data: bytes) -> str:
    """The first 16 digits of a SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


def bytes_of(x: torch.Tensor) -> bytes:
    """A tensor's numbers, row by row."""
    return x.detach().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()


def states() -> Iterator[tuple[str, str]]:
    """Every model of the gallery, 200 steps from its seed, on every engine."""
    for name in GALLERY:
        rule, layout = pl.load(name)
        for engine in ENGINES:
            x = pl.run(rule, layout.seed(1, (56, 56)), 200, seed=7, engine=engine)
            yield f"{name}, 200 steps, {engine}", digest(bytes_of(x))


def tensors(path: Path) -> Iterator[tuple[str, str]]:
    """Weights and header of a safetensors file; times in the header are left out."""
    with safe_open(path, "pt") as file:
        names = sorted(file.keys())
        yield f"{path.name} tensors", digest(b"".join(n.encode() + bytes_of(file.get_tensor(n)) for n in names))
        for key, text in sorted((file.metadata() or {}).items()):
            yield f"{path.name} {key}", digest(json.dumps(json.loads(text), sort_keys=True).encode())


def training(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """One short training: what lies in its folder afterwards."""
    words = ["train", *TRAININGS[name], "--runs", str(folder), "--name", name]
    env = os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-m", "planaria", *words], env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    for path in sorted((folder / name).iterdir()):
        if path.suffix == ".safetensors":
            yield from ((f"{name}: {what}", found) for what, found in tensors(path))
        elif path.name == "metrics.jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            kept = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
            yield f"{name}: {path.name}", digest(json.dumps(kept, sort_keys=True).encode())
        elif path.is_file() and path.name not in TIMED:
            yield f"{name}: {path.name}", digest(path.read_bytes())


def table() -> dict[str, str]:
    """All of it."""
    torch.set_num_threads(1)
    found = dict(states())
    with tempfile.TemporaryDirectory() as folder:
        for name in TRAININGS:
            found |= dict(training(name, Path(folder)))
    return found


def main() -> None:
    """Write the table, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="compare with the table in FILE, write nothing")
    given = parser.parse_args()
    found = table()
    if not given.check:
        given.file.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{len(found)} hashes written to {given.file}")
        return
    before = json.loads(given.file.read_text())
    different = [key for key in sorted(before.keys() | found.keys()) if before.get(key) != found.get(key)]
    for key in different:
        print(f"{key}: {before.get(key, 'absent')} -> {found.get(key, 'absent')}")
    print(f"{len(before.keys() & found.keys()) - len(set(different) & before.keys() & found.keys())} the same")
    raise SystemExit(bool(different))


if __name__ == "__main__":
    main()
