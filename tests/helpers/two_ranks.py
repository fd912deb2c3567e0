"""Run by torchrun in test_dist.py: train, and leave every rank's weights and pool behind."""

import sys
from pathlib import Path

import torch

from helpers.tiny import tiny
from planaria.training.dist import ranks
from planaria.training.session import Session

folder = Path(sys.argv[1])
config = tiny({"steps": 8})
torch.set_num_threads(1)
with ranks("cpu") as place:
    session = Session(folder / "run", "grow", config, place)
    for _ in session.run():
        pass
    session.finish()
    trainer = session.trainer
    torch.save(
        {"weights": trainer.learned, "pool": trainer.pool.x, "adam": trainer._safe_point()}, folder / f"{place.rank}.pt"
    )
