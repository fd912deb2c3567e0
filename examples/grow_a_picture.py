"""Train a tiny automaton on a built-in picture, cut it, and film it healing: about half a minute on two cores."""

from pathlib import Path

import planaria as pl


def main(runs: Path = Path("runs"), steps: int = 200) -> Path:
    folder = pl.train(
        "grow",
        name="tiny-butterfly",
        runs=runs,
        resume=True,
        picture="butterfly",
        size=16,
        padding=4,
        train={"steps": steps, "pool": 64, "rollout": [24, 40], "lr_drops": [0.7]},
    )
    rule, layout = pl.load(folder)
    shot = pl.film(rule, layout, steps=240, size=24, erase={120: "circle(8,8,5)"}, seed=7)
    return shot.save(folder / "healing.webp")


if __name__ == "__main__":
    print(main())
