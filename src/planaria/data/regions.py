"""Connected regions and dilation of a mask."""

import numpy as np


def regions(mask: np.ndarray) -> np.ndarray:
    """Label every pixel of a mask `(h, w)`: one number for each 4-connected region, -1 outside the mask."""
    starts = mask.copy()
    starts[:, 1:] &= ~mask[:, :-1]
    runs = starts.cumsum().reshape(mask.shape) - 1  # each row's runs of pixels, numbered
    touching = mask[:-1] & mask[1:]
    above, below = runs[:-1][touching], runs[1:][touching]
    root = np.arange(int(starts.sum()))
    while True:
        low, high = np.minimum(root[above], root[below]), np.maximum(root[above], root[below])
        apart = low != high
        if not apart.any():
            return np.where(mask, root[runs] if len(root) else -1, -1)
        np.minimum.at(root, high[apart], low[apart])
        while not np.array_equal(root, root[root]):
            root = root[root]


def widened(mask: np.ndarray, by: int) -> np.ndarray:
    """Dilate a mask `(h, w)` by `by` pixels, with a square."""
    for axis in (0, 1):
        wide = mask.copy()
        for step in range(1, by + 1):
            near, far = [slice(None)] * 2, [slice(None)] * 2
            near[axis], far[axis] = slice(step, None), slice(None, -step)
            wide[tuple(near)] |= mask[tuple(far)]
            wide[tuple(far)] |= mask[tuple(near)]
        mask = wide
    return mask
