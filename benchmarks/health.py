"""The public table of health: the included models beside weights that others published.

    python benchmarks/health.py --quick heart lizard                     # models, by name or file
    python benchmarks/health.py --quick heart ex3_lizard.json nca.pt     # weights of other formats are imported
    python benchmarks/health.py heart --target ex3_lizard.json=lizard.png

Prints a Markdown table, a row a model. A model whose target nobody gives is compared with its own mean picture.
"""

import argparse
import sys
from pathlib import Path

from planaria import store
from planaria.errors import UserError
from planaria.evaluate.health import STANDS_IN, Certificate, examine
from planaria.evaluate.health.finding import organism, task_of
from planaria.report.health import log10, moves
from planaria.store import Saved, formats

HEAD = ("model", "compared with", "settled", "drift", "brush", "as before", "noise 20 %", "speckle 20 %",
        "10 % left", "fire rate 0.3, 0.8", "settled motion")  # fmt: skip


def model(name: str) -> Saved:
    """A model of planaria, or weights of another format."""
    path = Path(name)
    if path.suffix in (".safetensors", "") or path.is_dir():
        return store.read(name)
    imported = formats.load(path)
    return Saved(imported.rule, imported.layout, imported.card, size=imported.card.grid, name=path.stem)


def row(found: Certificate) -> tuple[str, ...]:
    """Cells of one model."""
    trials = {trial.name: trial for trial in found.trials}

    def healed(name: str) -> str:
        return f"{trials[name].healed} of {trials[name].bodies}"

    return (
        found.name, "itself" if found.target == STANDS_IN else found.target, log10(found.grows.settled),
        f"{found.keeps.drift:+.2f}", healed("brush strokes"), f"{trials['brush strokes'].as_before}",
        healed("noise 20%"), healed("speckle 20%"), healed("10% of the body left"),
        ", ".join(healed(f"grown at a fire rate of {rate}") for rate in (0.3, 0.8)), moves(found),
    )  # fmt: skip


def main() -> None:
    """Examine them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--target", action="append", default=[], metavar="MODEL=PICTURE")
    given = parser.parse_args()
    targets = dict(one.split("=", 1) for one in given.target)
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    for name in given.models:
        try:
            one = model(name)
            found = examine(organism(one, task_of(one), targets.get(name, "")), quick=given.quick)
        except UserError as e:
            print(f"{name}: {e}", file=sys.stderr)
            continue
        print(f"| {' | '.join(row(found))} |", flush=True)


if __name__ == "__main__":
    main()
