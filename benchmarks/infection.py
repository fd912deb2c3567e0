"""How an infection takes over: from where, at which age, how fast, how well it then holds, and what it looks like.

python benchmarks/infection.py table MODEL [--bodies 16]
python benchmarks/infection.py spread MODEL
python benchmarks/infection.py share MODEL [--bodies 16]
python benchmarks/infection.py cost MODEL
python benchmarks/infection.py sheet docs/images/infection.png MODEL...
python benchmarks/infection.py pictures FOLDER
"""

import argparse
import time
from pathlib import Path

import torch
from PIL import Image

from planaria import store
from planaria.config import parse
from planaria.core.infection_site import InfectionSite
from planaria.core.rule import Rule
from planaria.data.images import picture
from planaria.engine import run
from planaria.export.movie import Film, film
from planaria.living import find, infected
from planaria.tasks.infect import TAKEN, Config, Task
from planaria.usual import infection

AGES = (15, 30, 60, 200, 1000)
BEGINS = ("point", "all")
GIVEN = 1000
"""Steps that a take-over may last at most."""
LATER = (100, 1000)
STRIP = (40, 100, 106, 112, 120, 130, 160, 1000)
"""Steps that a sheet shows of a body that is infected at step 100."""
SLOW = (100, 120, 150, 200, 300, 600, 1100)
"""The same, where a fixed share of its cells is."""
LOWER = 24
"""Row of the butterfly's 40 where its lower wings begin."""


def task_of(model: str) -> Task:
    """Task that a model was trained for, to evaluate it by."""
    return Task(parse(Config, (store.card(model).config.json, model)), torch.device("cpu"))


@torch.no_grad()
def followed(rule: Rule, task: Task, x: torch.Tensor, t: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """How many steps each body takes to be taken over, and its squared error so many steps after all are."""
    taken = torch.full((len(x),), GIVEN)
    for k in range(0, GIVEN, 2):
        x, t = run(rule, x, 2, t=t, seed=5), t + 2
        taken[(task.infected(x) > TAKEN) & (taken == GIVEN)] = k + 2
        if int(taken.max()) < GIVEN:
            break
    errors, before = [], 0
    for later in LATER:
        x, t = run(rule, x, later - before, t=t, seed=5), t + later - before
        errors.append((task.layout.picture(x) - task.target).square().mean((1, 2, 3)))
        before = later
    return taken, errors


def table(model: str, bodies: int) -> None:
    """Take-over time and error of many bodies, by age and by how the infection begins."""
    rule, layout = store.load(model)
    task, strain = task_of(model), layout.strain or 0
    heads = ["host's age", "infected", "steps to take over, median (most)"]
    heads += [f"MSE {n:,} steps later, median (worst)" for n in LATER]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for age in AGES:
        body = task.widened(run(task.host, task.bare.seed(bodies, task.size), age, seed=11))
        for begin in BEGINS:
            x, rng = body.clone(), torch.Generator().manual_seed(age)
            for one in x:
                living = one[layout.alpha or 0] > 0.1
                place = living.nonzero()[int(torch.randint(int(living.sum()), (), generator=rng))].tolist()
                where = InfectionSite("disc", (*place, 1.0)) if begin == "point" else InfectionSite("all")
                one[strain][where.mask(living)] = 1.0
            taken, errors = followed(rule, task, x, age)
            cells = " | ".join(f"{e.median():.5f} ({e.max():.5f})" for e in errors)
            print(f"| {age} | {begin} | {int(taken.median())} ({int(taken.max())}) | {cells} |", flush=True)


def spread(model: str) -> None:
    """Steps from one infected place in the middle of a grown host to a take-over, by delay and chance."""
    task = task_of(model)
    print("| delay | chance | steps to take over, median of 4 |\n|---|---|---|")
    for delay, chance in ((1, 1.0), (2, 1.0), (4, 1.0), (8, 1.0), (1, 0.5), (1, 0.25), (1, 0.1)):
        living = infected(find(model), model, delay=delay, chance=chance)
        assert isinstance(living.rule, Rule)
        told = []
        for seed in range(4):
            world = living.world(seed=seed)
            world.tick(200)
            world.infect("middle")
            while world.t < 200 + GIVEN and float(task.infected(world.x)) < TAKEN:
                world.tick(1)
            told.append(world.t - 200)
        print(f"| {delay} | {chance} | {sorted(told)[2]} |", flush=True)


@torch.no_grad()
def share(model: str, bodies: int) -> None:
    """Error of many bodies of a model whose infection doesn't spread, by age: never infected, and infected."""
    rule, layout = store.load(model)
    task, strain = task_of(model), layout.strain or 0
    heads = ["host's age", "never infected", *(f"infected for {n:,} steps, median (worst)" for n in LATER)]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for age in AGES[1:]:
        body = task.widened(run(task.host, task.bare.seed(bodies, task.size), age, seed=11))
        x = body.clone()
        for number, one in enumerate(x):
            where = InfectionSite("share", (task.config.share,))
            one[strain][where.mask(one[layout.alpha or 0] > 0.1, seed=number)] = 1.0
        healthy = run(rule, body, LATER[0], t=age, seed=5)
        errors, before = [(layout.picture(healthy) - task.target).square().mean((1, 2, 3))], 0
        for later in LATER:
            x = run(rule, x, later - before, t=age + before, seed=5)
            errors.append((layout.picture(x) - task.target).square().mean((1, 2, 3)))
            before = later
        cells = " | ".join(f"{e.median():.4f} ({e.max():.4f})" for e in errors[1:])
        print(f"| {age} | {errors[0].median():.4f} | {cells} |", flush=True)


@torch.no_grad()
def cost(model: str) -> None:
    """Time of a step of host and virus together, in times of the host's alone; taken in turns, of eight bodies."""
    rule, _ = store.load(model)
    task = task_of(model)
    alone = run(task.host, task.bare.seed(8, task.size), 200, seed=1)
    pair, ratios = task.widened(alone), []
    for _ in range(9):
        took = []
        for one, x in ((task.host, alone), (rule, pair)):
            began = time.perf_counter()
            run(one, x, 100, seed=1)
            took.append(time.perf_counter() - began)
        ratios.append(took[1] / took[0])
    print(f"{sorted(ratios)[4]:.2f} times the host's step, median of 9; {min(ratios):.2f} to {max(ratios):.2f}")


def sheet(output: Path, models: list[str]) -> None:
    """A row of moments for each model: a host that is infected in its middle, or in a share of its cells."""
    strips = []
    for model in models:
        living = find(model)
        begun = infection(living.layout, living.card)
        moments = STRIP if begun == {100: "middle"} else SLOW
        told = {"steps": moments[-1], "size": living.size, "every": 2, "seed": 1}
        shot = film(living.rule, living.layout, infect=begun, **told)
        places = [max(k for k, at in enumerate(shot.at) if at == step) for step in moments]
        places[0] = shot.at.index(moments[0])  # before it is infected
        strips.append(Film(shot.frames[places], tuple(shot.at[k] for k in places)).strip(len(moments)))
    page = Image.new("RGB", (max(s.width for s in strips), sum(s.height for s in strips)), "white")
    top = 0
    for strip in strips:
        page.paste(strip, (0, top))
        top += strip.height
    page.save(output, optimize=True)


def pictures(folder: Path) -> None:
    """`clipped.png`, a butterfly without its lower wings, and `red.png`, a red one: what a share of cells is to do."""
    shown = picture("butterfly", 40)
    colours, alpha = shown[:3] / shown[3:].clamp(min=1e-6), shown[3:]
    light = colours.mean(0)
    red = torch.stack([0.5 + 0.5 * light, 0.35 * light, 0.3 * light])
    kept = (torch.arange(40) < LOWER)[:, None] * alpha
    folder.mkdir(parents=True, exist_ok=True)
    for name, straight in (("clipped", torch.cat([colours, kept])), ("red", torch.cat([red, alpha]))):
        levels = straight.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(levels, "RGBA").save(folder / f"{name}.png")


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="what", required=True)
    for name in ("table", "share"):
        one = parts.add_parser(name)
        one.add_argument("model")
        one.add_argument("--bodies", type=int, default=16)
    parts.add_parser("spread").add_argument("model")
    parts.add_parser("cost").add_argument("model")
    parts.add_parser("pictures").add_argument("folder", type=Path)
    one = parts.add_parser("sheet")
    one.add_argument("output", type=Path)
    one.add_argument("models", nargs="+")
    told = parser.parse_args()
    if told.what == "table":
        table(told.model, told.bodies)
    elif told.what == "share":
        share(told.model, told.bodies)
    elif told.what == "spread":
        spread(told.model)
    elif told.what == "cost":
        cost(told.model)
    elif told.what == "pictures":
        pictures(told.folder)
    else:
        sheet(told.output, told.models)


if __name__ == "__main__":
    main()
