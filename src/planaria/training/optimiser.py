"""Optimisers: Adam, and SOAP, which is Adam in the eigenbasis of each weight's gradients.

Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, arXiv:1412.6980. Vyas, Morwani, Zhao, Kwun,
Shapira, Brandfonbrener, Janson and Kakade, "SOAP: improving and stabilizing Shampoo using Adam", ICLR 2025,
arXiv:2409.11321.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

EVERY = 10
"""Steps between turns of the bases; in the first steps they turn in each."""
WIDEST = 1024
"""Longest side of a weight that has a basis: a longer one is left as it is, as its basis would be its square."""
LEAST = 1e-12
"""Smallest divisor."""
ROUNDED = 1e-8
"""Share of the largest size in the bases below which there is nothing but rounding."""


class Adam(torch.optim.Adam):
    """Adam of torch, and the names of its tensors."""

    names = ("step", "exp_avg", "exp_avg_sq")
    """Tensors of the state of each weight."""

    def __init__(self, learned: Iterable[Tensor], lr: float, betas: tuple[float, float]):
        super().__init__(learned, lr, betas)

    @staticmethod
    def blank(p: Tensor) -> dict[str, Tensor]:
        """State of a weight before its first step."""
        return {"step": torch.zeros(()), "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}


class Soap(torch.optim.Optimizer):
    """Adam whose moments live in slowly turning bases of a weight's rows and of its columns; a bias is one column.

    Other than in the paper, the second moments turn with the bases, as if those of the old basis were independent:
    else what was measured in one basis divides in another, where it may be next to nothing.
    """

    names = (*Adam.names, "rows", "columns", "row_basis", "column_basis")

    def __init__(self, learned: Iterable[Tensor], lr: float, betas: tuple[float, float]):
        super().__init__(learned, {"lr": lr, "betas": betas})

    @staticmethod
    def blank(p: Tensor) -> dict[str, Tensor]:
        """State of a weight before its first step; of a side beyond `WIDEST`, the covariance and basis are empty."""
        n, m = (side if side <= WIDEST else 0 for side in _matrix(p).shape)
        return {
            **Adam.blank(p),
            "rows": p.new_zeros(n, n),
            "columns": p.new_zeros(m, m),
            "row_basis": torch.eye(n, device=p.device, dtype=p.dtype),
            "column_basis": torch.eye(m, device=p.device, dtype=p.dtype),
        }

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # noqa: ARG002
        """Make one step along the gradients."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.state[p] = self.state[p] or self.blank(p)
                    p -= group["lr"] * self._change(p, self.state[p], *group["betas"]).view_as(p)

    def _change(self, p: Tensor, state: dict[str, Tensor], first: float, second: float) -> Tensor:
        """Change of a weight per learning rate, `(rows, columns)`."""
        assert p.grad is not None
        grad, mean, square = p.grad.reshape(len(p), -1), _matrix(state["exp_avg"]), _matrix(state["exp_avg_sq"])
        state["step"] += 1
        count = int(state["step"])
        mean.lerp_(grad, 1 - first)
        for covariance, basis, g in (("rows", "row_basis", grad), ("columns", "column_basis", grad.T)):
            if len(state[covariance]):
                state[covariance].lerp_(g @ g.T, 1 - second)
                if count <= EVERY or count % EVERY == 0:
                    turned = _turned(state[covariance], state[basis])
                    shares = (turned.T @ state[basis]).square()
                    square.copy_(shares @ square if basis == "row_basis" else square @ shares.T)
                    state[basis] = turned
        rows, columns = state["row_basis"], state["column_basis"]
        square.lerp_(_into(grad, rows, columns).square(), 1 - second)
        scale = (square / (1 - second**count)).sqrt()
        scale += LEAST + ROUNDED * scale.max()
        return _into(_into(mean, rows, columns) / (1 - first**count) / scale, rows.T, columns.T)


def _matrix(p: Tensor) -> Tensor:
    """View as `(rows, columns)`."""
    return p.view(len(p), -1)


def _turned(covariance: Tensor, basis: Tensor) -> Tensor:
    """Basis, one orthogonal iteration nearer to the eigenvectors of `covariance`.

    In float64 on the CPU: their eigenvalues span many powers of ten, and not every device has float64.
    """
    size, now = covariance.cpu().double(), basis.cpu().double()
    size = size / size.trace().clamp(min=torch.finfo(torch.float64).tiny)
    return torch.linalg.qr(size @ now + torch.finfo(torch.float32).eps * now)[0].to(basis)


def _into(g: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Turn `(rows, columns)` into bases; an empty one is the standard basis."""
    g = rows.T @ g if len(rows) else g
    return g @ columns if len(columns) else g


OPTIMISERS: dict[str, type[Adam] | type[Soap]] = {"adam": Adam, "soap": Soap}
"""Name -> optimiser."""
