"""Several processes, one model: communication between them. Alone, every call does nothing."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from planaria.engine import device_of


@dataclass(frozen=True)
class Ranks:
    """This process among `size`, and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def writes(self) -> bool:
        """True if this process is the one that writes files and logs."""
        return self.rank == 0

    def mean(self, tensors: Iterable[Tensor]) -> None:
        """Average tensors over all processes, in place."""
        if self.size == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        for t, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            t.copy_(part.view_as(t))

    def any(self, flag: int) -> int:
        """Largest flag raised by any process."""
        if self.size == 1:
            return flag
        raised = torch.tensor([flag], device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return int(raised)

    def gather(self, x: Tensor) -> list[Tensor]:
        """Gather the tensor of every process, on the writer; an empty list elsewhere. Shapes must agree."""
        if self.size == 1:
            return [x]
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(self.size)] if self.writes else None
        dist.gather(x, parts)
        return parts or []

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def ranks(device: str) -> Iterator[Ranks]:
    """Place of this process: alone, or one of those that `torchrun` started (nccl on GPUs, gloo elsewhere)."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks(0, 1, device_of(device))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    where = device_of(device)
    if where.type == "cuda" and where.index is None:
        where = torch.device("cuda", local)
        torch.cuda.set_device(where)
    dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), size, where)
        dist.barrier()  # none leaves while another still films: gloo aborts where its peers vanish
    finally:
        dist.destroy_process_group()
