"""The paper, cell by cell, in float64 Python. Slow on purpose; read it, then trust it."""

import math

ACTIVATIONS = {
    "relu": lambda v: max(0.0, v),
    "leaky_relu": lambda v: v if v > 0 else 0.01 * v,
    "elu": lambda v: v if v > 0 else math.expm1(v),
    "gelu": lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))),
    "silu": lambda v: v / (1 + math.exp(-v)),
    "tanh": math.tanh,
}


def gaussian(size):
    """The weights [size][size] of a blur of sigma 2, which add up to one."""
    middle = size // 2
    bell = [[math.exp(-((a - middle) ** 2 + (b - middle) ** 2) / 8) for b in range(size)] for a in range(size)]
    total = math.fsum(v for row in bell for v in row)
    return [[v / total for v in row] for row in bell]


def step(
    x, kernels, reaches, weights, biases, fires, *, edge, life, life_edge, channel, threshold, activation, blurs,
    frozen, cond, dt,
):  # fmt: skip
    """One step of one sample: x[c][i][j] -> x'[c][i][j].

    kernels[f][n][n], whose outermost taps lie reaches[f] cells away; weights[layer][out][in], the first reading channel
    by channel all filters, then `cond`;
    biases[layer][out] for the first layers that have one; fires[i][j] says who acts; blurs[channel] is how many cells
    wide that channel is blurred.
    """
    channels, height, width = len(x), len(x[0]), len(x[0][0])

    def place(i, n):
        if edge == "replicate":
            return min(max(i, 0), n - 1)
        return i % n if edge == "circular" else i if 0 <= i < n else None

    def at(s, c, i, j):
        i, j = place(i, height), place(j, width)
        return 0.0 if i is None or j is None else s[c][i][j]

    def alive(s, i, j):
        block = [(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        if life_edge == "zero":
            block = [(m, n) for m, n in block if 0 <= m < height and 0 <= n < width]
        else:
            block = [(place(m, height), place(n, width)) for m, n in block]
        return any(s[channel][m][n] > threshold for m, n in block if m is not None and n is not None)

    def response(k, reach, c, i, j):
        half = len(k) // 2
        apart = reach // half
        return math.fsum(
            v * at(x, c, i + apart * (a - half), j + apart * (b - half))
            for a, row in enumerate(k)
            for b, v in enumerate(row)
        )

    y = [[list(row) for row in plane] for plane in x]
    for i in range(height):
        for j in range(width):
            if not fires[i][j]:
                continue
            p = [
                response(k, reach, c, i, j) for c in range(channels) for k, reach in zip(kernels, reaches, strict=True)
            ] + list(cond)
            for layer, w in enumerate(weights):
                bias = biases[layer] if layer < len(biases) else [0.0] * len(w)
                p = [b + math.fsum(a * v for a, v in zip(row, p, strict=True)) for row, b in zip(w, bias, strict=True)]
                if layer < len(weights) - 1:
                    p = [ACTIVATIONS[activation](v) for v in p]
            for c, dx in enumerate(p):
                y[c][i][j] += dt * dx
            for c, size in blurs.items():
                melted = math.fsum(
                    v * at(x, c, i + a - size // 2, j + b - size // 2)
                    for a, row in enumerate(gaussian(size))
                    for b, v in enumerate(row)
                )
                y[c][i][j] += dt * (melted - x[c][i][j])
    fate = [
        [
            (life in ("none", "after") or alive(x, i, j)) and (life in ("none", "before") or alive(y, i, j))
            for j in range(width)
        ]
        for i in range(height)
    ]
    return [
        [[y[c][i][j] if c >= channels - frozen or fate[i][j] else 0.0 for j in range(width)] for i in range(height)]
        for c in range(channels)
    ]
