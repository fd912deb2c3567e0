"""What 8 bits cost: every model of the gallery as it is, and as a link to it holds it.

    python benchmarks/links.py                       # half a minute; needs node
    python benchmarks/links.py --lizard lizard.png   # with the lizard, whose picture is no drawing of planaria's

Grows each from the seed for 200 steps, 8 runs; cuts its left half, and measures again 200 steps later.
"""

import argparse
import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

import planaria as pl
from planaria import store
from planaria.core.damage import Damage
from planaria.data.images import picture
from planaria.export.html import payload
from planaria.tasks.grow import centred

LINK = (Path(pl.__file__).parent / "web" / "learn" / "link.js").as_uri()
SCRIPT = f"""
import {{ readFileSync }} from "node:fs";
import {{ fromLink, linkOf }} from "{LINK}";
const links = await Promise.all(JSON.parse(readFileSync(0, "utf8")).map(linkOf));
const found = await Promise.all(links.map(async (link) => [link.length, await fromLink(link)]));
process.stdout.write(JSON.stringify(found));
"""


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lizard", type=Path)
    given = parser.parse_args()
    models = {name: store.read(name) for name in store.gallery() if name != "lizard" or given.lizard}
    linked = through_links([payload(model) for model in models.values()])
    print("| model | letters in the link | grown, as it is | 8 bits | left half healed, as it is | 8 bits |")
    print("|---|---|---|---|---|---|")
    for (name, model), (length, page) in zip(models.items(), linked, strict=True):
        config = model.card.config
        source = str(given.lizard) if name == "lizard" else config.picture
        sides = [int(config.json[key]) for key in ("size", "padding")]
        target = centred(picture(source, *sides), sides[1])
        before = errors(model, target)
        with torch.no_grad():
            for p, text in zip(model.rule.parameters(), [*page["weights"], *page["biases"]], strict=True):
                p.copy_(torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy()).view_as(p))
        after = errors(model, target)
        columns = [f"{value:.2f}" for pair in zip(before, after, strict=True) for value in pair]
        print(f"| {name} | {length:,} | " + " | ".join(columns) + " |")


def through_links(payloads: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Length of the link to each model, and the model that it holds."""
    node = shutil.which("node")
    if node is None:
        raise SystemExit("node is not installed")
    command = [node, "--input-type=module", "--eval", SCRIPT]
    done = subprocess.run(command, input=json.dumps(payloads), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@torch.no_grad()
def errors(model: store.Saved, target: torch.Tensor) -> list[float]:
    """log10 of the mean squared error over 8 runs: grown, and healed of a cut."""
    layout = model.layout
    grown = pl.run(model.rule, layout.seed(8, model.size), 200, seed=11)
    healed = pl.run(model.rule, Damage.parse("left").apply(grown, frozen=layout.frozen), 200, t=200, seed=11)
    return [(layout.picture(x) - target).square().mean().log10().item() for x in (grown, healed)]


if __name__ == "__main__":
    main()
