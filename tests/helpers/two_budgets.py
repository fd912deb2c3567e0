"""Run by torchrun in test_dist.py: a budget on two processes whose clocks differ; each leaves its iterations behind."""

import itertools
import sys
from pathlib import Path

import torch

from helpers.tiny import tiny
from planaria.training import budget
from planaria.training.dist import ranks
from planaria.training.session import Session

folder = Path(sys.argv[1])
torch.set_num_threads(1)
with ranks("cpu") as place:
    ticks = itertools.count()
    budget.perf_counter = lambda: next(ticks) * (1 + 2 * place.rank)
    session = Session(folder / "run", "grow", tiny({"minutes": 3}), place)
    (folder / f"{place.rank}.txt").write_text(str(session.config.train.steps))
    session.close()
