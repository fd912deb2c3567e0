"""Triton kernels of the GPU: a step, its deaths, and the backward pass. `fused` alone imports this file.

States are cells first, `(b, h, w, c)`. A program works on a tile of `TH x TW` cells of one sample, all channels at
once (`CP`, the channels rounded up to a power of two), and walks through the hidden layer `HC` neurons at a time.
Maps hold one byte a cell. `no_type_check` keeps run-time type checkers away from code that Triton reads as text.
"""

# ruff: noqa: RUF005 (Triton adds tuples, but does not unpack them)
from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def mix(v):
    """Same as `planaria.core.noise.mix`, on uint32."""
    v = v ^ (v >> 16)
    v = v * 0x7FEB352D
    v = v ^ (v >> 15)
    v = v * 0x846CA68B
    return v ^ (v >> 16)


@triton.jit
@no_type_check
def fold(key, v):
    """Same as `planaria.core.noise.fold`, on uint32."""
    return mix((key + 0x9E3779B9) ^ v.to(tl.uint32))


@triton.jit
@no_type_check
def fires(keys, t, sample, row, col, top, left, RATE: tl.constexpr):
    """Mask of the cells that fire; `keys[t]` is the seed folded with the step, `RATE` the rate in units of 2**-32.

    `top` and `left` are the grid's first row and column in a larger one.
    """
    if RATE <= 0 or RATE >= 4294967296:
        act = (row >= 0) & (RATE > 0)
    else:
        key = tl.load(keys + t + row * 0).to(tl.uint32, bitcast=True)
        row = row.to(tl.uint32) + top.to(tl.uint32)
        col = col.to(tl.uint32) + left.to(tl.uint32)
        act = fold(fold(fold(key, sample + col * 0), row), col) < RATE
    return act


@triton.jit
@no_type_check
def place(tile, H, W, TH: tl.constexpr, TW: tl.constexpr):
    """Sample, rows and columns of a tile's cells, and which of them are on the grid."""
    across = tl.cdiv(W, TW)
    each = tl.cdiv(H, TH) * across
    i = tl.arange(0, TH * TW)
    row = tile % each // across * TH + i // TW
    col = tile % across * TW + i % TW
    return tile // each, row, col, (row < H) & (col < W)


@triton.jit
@no_type_check
def beside(i, n, D: tl.constexpr, EDGE: tl.constexpr):
    """Rows (or columns) `D` behind `i`, and which of them exist, of `n`. `EDGE` is 0, or 1 on a torus, or 2 where the
    nearest cell lies beyond."""
    j = i + D
    if EDGE == 1:
        j = (j % n + n) % n
    if EDGE == 2:
        j = tl.minimum(tl.maximum(j, 0), n - 1)
    return j, (j >= 0) & (j < n)


@triton.jit
@no_type_check
def along(i, n, REACH: tl.constexpr, APART: tl.constexpr, EDGE: tl.constexpr):
    """Indices of `2 * REACH + 1` rows (or columns) about `i`, `APART` from each other, and which exist, of `n`."""
    places = ()
    there = ()
    for d in tl.static_range(-REACH, REACH + 1):
        j, exists = beside(i, n, d * APART, EDGE)
        places = places + (j,)
        there = there + (exists,)
    return places, there


@triton.jit
@no_type_check
def any_near(flags, sample, row, col, ok, H, W, REACH: tl.constexpr, EDGE: tl.constexpr):
    """Mask of the cells with a flag at most `REACH` rows and columns away."""
    found = row < 0
    rows, on_row = along(row, H, REACH, 1, EDGE)
    cols, on_col = along(col, W, REACH, 1, EDGE)
    for di in tl.static_range(2 * REACH + 1):
        there = ok & on_row[di]
        first = flags + (sample * H + rows[di]) * W
        for dj in tl.static_range(2 * REACH + 1):
            found = found | (tl.load(first + cols[dj], mask=there & on_col[dj], other=0) > 0)
    return found


@triton.jit
@no_type_check
def nine(
    x, sample, row, col, ok, H, W, APART: tl.constexpr, C: tl.constexpr, CP: tl.constexpr, EDGE: tl.constexpr
):  # fmt: skip
    """Values of each cell and of the eight `APART` away from it: nine blocks `(cells, CP)`, row by row."""
    c = tl.arange(0, CP)
    block = ()
    rows, on_row = along(row, H, 1, APART, EDGE)
    cols, on_col = along(col, W, 1, APART, EDGE)
    for k in tl.static_range(9):
        inside = (ok & on_row[k // 3] & on_col[k % 3])[:, None] & (c < C)[None, :]
        cell = (sample * H + rows[k // 3]) * W + cols[k % 3]
        near = tl.load(x + cell[:, None] * C + c[None, :], mask=inside, other=0.0)
        block = block + (near,)
    return block


@triton.jit
@no_type_check
def perceive(
    x, sample, row, col, ok, H, W, TAPS: tl.constexpr, APART: tl.constexpr, F: tl.constexpr, C: tl.constexpr,
    CP: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Perception: one `(cells, CP)` block for each filter; taps of weight zero are not read."""
    p = ()
    for f in tl.static_range(F):
        if APART[f] > 0:
            block = nine(x, sample, row, col, ok, H, W, APART[f], C, CP, EDGE)
        sum_ = tl.zeros_like(block[4])
        for k in tl.static_range(9):
            if TAPS[f * 9 + k] != 0:
                sum_ += TAPS[f * 9 + k] * block[k]
        p = p + (sum_,)
    return p


@triton.jit
@no_type_check
def dot(a, b, acc, PRECISION: tl.constexpr):
    """Product and sum: `acc + a @ b`."""
    if PRECISION == "bf16":
        out = tl.dot(a.to(tl.bfloat16), b.to(tl.bfloat16), acc)
    elif PRECISION == "tf32":
        out = tl.dot(a, b, acc, input_precision="tf32")
    else:
        out = tl.dot(a, b, acc, input_precision="ieee", out_dtype=acc.dtype)
    return out


@triton.jit
@no_type_check
def first_layer(w1, f: tl.constexpr, j, C: tl.constexpr, CP: tl.constexpr, HIDDEN: tl.constexpr):
    """Weights from filter `f` to the neurons `j`, `(CP, HC)`, of `w1` `(f, c, hidden)`."""
    c = tl.arange(0, CP)
    inside = (c < C)[:, None] & (j < HIDDEN)[None, :]
    return tl.load(w1 + (f * C + c)[:, None] * HIDDEN + j[None, :], mask=inside, other=0.0)


@triton.jit
@no_type_check
def second_layer(w2, j, OWN: tl.constexpr, CP: tl.constexpr, HIDDEN: tl.constexpr):
    """Weights from the neurons `j`, `(HC, CP)`, of `w2` `(hidden, own)`."""
    c = tl.arange(0, CP)
    inside = (j < HIDDEN)[:, None] & (c < OWN)[None, :]
    return tl.load(w2 + j[:, None] * OWN + c[None, :], mask=inside, other=0.0)


@triton.jit
@no_type_check
def hidden(
    p, w1, first, j, F: tl.constexpr, C: tl.constexpr, CP: tl.constexpr, HIDDEN: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Neurons `j` after ReLU, `(cells, HC)`; NaN stays NaN."""
    bias = tl.load(first + j, mask=j < HIDDEN, other=0.0)
    h = tl.zeros((p[0].shape[0], j.shape[0]), p[0].dtype) + bias[None, :]
    for f in tl.static_range(F):
        h = dot(p[f], first_layer(w1, f, j, C, CP, HIDDEN), h, PRECISION)
    return tl.where(h < 0, 0.0, h)


@triton.jit(do_not_specialize=["t", "top", "left"])
@no_type_check
def step(
    x, y, mature, tried, w1, first, w2, b2, keys, t, top, left, H, W,
    TAPS: tl.constexpr, APART: tl.constexpr, RATE: tl.constexpr, REACH: tl.constexpr, LIFE: tl.constexpr,
    LIFE_CHANNEL: tl.constexpr, THRESHOLD: tl.constexpr, RIM: tl.constexpr, BIAS: tl.constexpr, F: tl.constexpr,
    C: tl.constexpr,
    OWN: tl.constexpr, CP: tl.constexpr, HIDDEN: tl.constexpr, HC: tl.constexpr, EDGE: tl.constexpr,
    TH: tl.constexpr, TW: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum `y = x + fire * flow(x)`, before death. `tried` masks the mature cells of `y`. `RIM` is the `EDGE` of life.

    Where life is judged before the step, a cell with no mature one within `REACH` dies and saves none: it rests, and
    so does a tile where no cell fires.
    """
    sample, row, col, ok = place(tl.program_id(0), H, W, TH, TW)
    c = tl.arange(0, CP)
    cell = (sample * H + row) * W + col
    here = cell[:, None] * C + c[None, :]
    inside = ok[:, None] & (c < C)[None, :]
    new = tl.load(x + here, mask=inside, other=0.0)
    act = ok & fires(keys, t, sample, row, col, top, left, RATE)
    if REACH > 0:
        act = act & any_near(mature, sample, row, col, ok, H, W, REACH, RIM)
    if tl.max(act.to(tl.int32), 0) > 0:
        p = perceive(x, sample, row, col, ok, H, W, TAPS, APART, F, C, CP, EDGE)
        dx = tl.zeros_like(new)
        if BIAS:
            dx += tl.load(b2 + c, mask=c < OWN, other=0.0)[None, :]
        for start in range(0, HIDDEN, HC):
            j = start + tl.arange(0, HC)
            h = hidden(p, w1, first + sample * HIDDEN, j, F, C, CP, HIDDEN, PRECISION)
            dx = dot(h, second_layer(w2, j, OWN, CP, HIDDEN), dx, PRECISION)
        new += tl.where(act[:, None] & (c < OWN)[None, :], dx, 0.0)
    tl.store(y + here, new, mask=inside)
    if LIFE:
        life_value = tl.sum(tl.where((c == LIFE_CHANNEL)[None, :], new, 0.0), 1)
        tl.store(tried + cell, (life_value > THRESHOLD).to(tl.uint8), mask=ok)


@triton.jit
@no_type_check
def death(
    y, mature, tried, left, life, H, W, BEFORE: tl.constexpr, AFTER: tl.constexpr, C: tl.constexpr,
    OWN: tl.constexpr, CP: tl.constexpr, EDGE: tl.constexpr, TH: tl.constexpr, TW: tl.constexpr,
):  # fmt: skip
    """Clear the cells of `y` that die. `life` is the mask of those that live, `left` of the mature ones among them."""
    sample, row, col, ok = place(tl.program_id(0), H, W, TH, TW)
    c = tl.arange(0, CP)
    cell = (sample * H + row) * W + col
    alive = ok
    if BEFORE:
        alive = alive & any_near(mature, sample, row, col, ok, H, W, 1, EDGE)
    if AFTER:
        alive = alive & any_near(tried, sample, row, col, ok, H, W, 1, EDGE)
    grown = alive & (tl.load(tried + cell, mask=ok, other=0) > 0)
    tl.store(life + cell, alive.to(tl.uint8), mask=ok)
    tl.store(left + cell, grown.to(tl.uint8), mask=ok)
    nothing = tl.zeros((TH * TW, CP), y.dtype.element_ty)
    dead = (ok & ~alive)[:, None] & (c < OWN)[None, :]
    tl.store(y + cell[:, None] * C + c[None, :], nothing, mask=dead)


@triton.jit
@no_type_check
def passed(g, life, cell, ok, LIFE: tl.constexpr, C: tl.constexpr, OWN: tl.constexpr, CP: tl.constexpr):
    """Gradient that death lets through, `(cells, CP)`, and the cells that live."""
    c = tl.arange(0, CP)
    alive = ok
    if LIFE:
        alive = ok & (tl.load(life + cell, mask=ok, other=0) > 0)
    open_ = (alive[:, None] | (ok[:, None] & (c >= OWN)[None, :])) & (c < C)[None, :]
    return tl.load(g + cell[:, None] * C + c[None, :], mask=open_, other=0.0), alive


@triton.jit(do_not_specialize=["t", "top", "left"])
@no_type_check
def back(
    x, g, life, kept, gp, w1, first, w2, keys, t, top, left, H, W,
    TAPS: tl.constexpr, APART: tl.constexpr, RATE: tl.constexpr, LIFE: tl.constexpr, F: tl.constexpr, C: tl.constexpr,
    OWN: tl.constexpr, CP: tl.constexpr, HIDDEN: tl.constexpr, HC: tl.constexpr, EDGE: tl.constexpr,
    TH: tl.constexpr, TW: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Backward pass from the gradient `g` of a step to `gp` `(b, h, w, f, c)`, of perception, and `kept`, the rest."""
    sample, row, col, ok = place(tl.program_id(0), H, W, TH, TW)
    c = tl.arange(0, CP)
    cell = (sample * H + row) * W + col
    inside = ok[:, None] & (c < C)[None, :]
    got, alive = passed(g, life, cell, ok, LIFE, C, OWN, CP)
    act = alive & fires(keys, t, sample, row, col, top, left, RATE)
    dp = ()
    for _f in tl.static_range(F):
        dp = dp + (tl.zeros_like(got),)
    if tl.max(act.to(tl.int32), 0) > 0:
        p = perceive(x, sample, row, col, ok, H, W, TAPS, APART, F, C, CP, EDGE)
        dx = tl.where(act[:, None] & (c < OWN)[None, :], got, 0.0)
        for start in range(0, HIDDEN, HC):
            j = start + tl.arange(0, HC)
            h = hidden(p, w1, first + sample * HIDDEN, j, F, C, CP, HIDDEN, PRECISION)
            dh = dot(dx, tl.trans(second_layer(w2, j, OWN, CP, HIDDEN)), tl.zeros_like(h), PRECISION)
            dh = tl.where(h <= 0, 0.0, dh)
            more = ()
            for f in tl.static_range(F):
                more = more + (dot(dh, tl.trans(first_layer(w1, f, j, C, CP, HIDDEN)), dp[f], PRECISION),)
            dp = more
    tl.store(kept + cell[:, None] * C + c[None, :], got, mask=inside)
    for f in tl.static_range(F):
        tl.store(gp + (cell * F + f)[:, None] * C + c[None, :], dp[f], mask=inside)


@triton.jit
@no_type_check
def spread(
    kept, gp, g, H, W, TAPS: tl.constexpr, APART: tl.constexpr, F: tl.constexpr, C: tl.constexpr,
    CP: tl.constexpr, EDGE: tl.constexpr, BORDER: tl.constexpr, TH: tl.constexpr, TW: tl.constexpr,
):  # fmt: skip
    """Gradient `g` before the step: `kept`, and what returns through every neighbour's perception of this cell.

    `g` has `BORDER` cells around the grid, the copies of its rim that `EDGE` 2 alone has: what comes back to each.
    """
    high, wide = H + 2 * BORDER, W + 2 * BORDER
    sample, row, col, ok = place(tl.program_id(0), high, wide, TH, TW)
    c = tl.arange(0, CP)
    here = ((sample * high + row) * wide + col)[:, None] * C + c[None, :]
    inside = ok[:, None] & (c < C)[None, :]
    row, col = row - BORDER, col - BORDER
    own = inside & ((row >= 0) & (row < H) & (col >= 0) & (col < W))[:, None]
    total = tl.load(kept + ((sample * H + row) * W + col)[:, None] * C + c[None, :], mask=own, other=0.0)
    for k in tl.static_range(9):
        for f in tl.static_range(F):
            if APART[f] > 0:
                from_row, on_row = beside(row, H, (1 - k // 3) * APART[f], EDGE % 2)
                from_col, on_col = beside(col, W, (1 - k % 3) * APART[f], EDGE % 2)
                seen = (ok & on_row & on_col)[:, None] & (c < C)[None, :]
                cell = (sample * H + from_row) * W + from_col
            if TAPS[f * 9 + k] != 0:
                part = tl.load(gp + (cell * F + f)[:, None] * C + c[None, :], mask=seen, other=0.0)
                total += TAPS[f * 9 + k] * part
    tl.store(g + here, total, mask=inside)


@triton.jit(do_not_specialize=["t", "top", "left", "tiles"])
@no_type_check
def learn(
    x, g, life, d1, dfirst, d2, db2, w1, first, w2, keys, t, top, left, tiles, H, W,
    TAPS: tl.constexpr, APART: tl.constexpr, RATE: tl.constexpr, LIFE: tl.constexpr, F: tl.constexpr, C: tl.constexpr,
    OWN: tl.constexpr, CP: tl.constexpr, HIDDEN: tl.constexpr, HC: tl.constexpr, EDGE: tl.constexpr,
    TH: tl.constexpr, TW: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Add the weights' gradients. Program `(i, k)` takes every n-th tile from `i` on, and the `k`-th `HC` neurons.

    It alone writes its share of `d1` `(n, f, c, hidden)`, `d2` `(n, hidden, own)`, `db2` `(n, own)` and `dfirst`
    `(tiles, hidden)`, always in the same order: the same input gives the same bytes.
    """
    i, n = tl.program_id(0), tl.num_programs(0)
    j = tl.program_id(1) * HC + tl.arange(0, HC)
    c = tl.arange(0, CP)
    share1, share2, share_bias = d1 + i * F * C * HIDDEN, d2 + i * HIDDEN * OWN, db2 + i * OWN
    sum1 = ()
    for f in tl.static_range(F):
        sum1 = sum1 + (first_layer(share1, f, j, C, CP, HIDDEN),)
    sum2 = second_layer(share2, j, OWN, CP, HIDDEN)
    sum_bias = tl.load(share_bias + c, mask=c < OWN, other=0.0)
    for tile in range(i, tiles, n):
        sample, row, col, ok = place(tile, H, W, TH, TW)
        got, alive = passed(g, life, (sample * H + row) * W + col, ok, LIFE, C, OWN, CP)
        act = alive & fires(keys, t, sample, row, col, top, left, RATE)
        if tl.max(act.to(tl.int32), 0) > 0:
            p = perceive(x, sample, row, col, ok, H, W, TAPS, APART, F, C, CP, EDGE)
            dx = tl.where(act[:, None] & (c < OWN)[None, :], got, 0.0)
            h = hidden(p, w1, first + sample * HIDDEN, j, F, C, CP, HIDDEN, PRECISION)
            dh = dot(dx, tl.trans(second_layer(w2, j, OWN, CP, HIDDEN)), tl.zeros_like(h), PRECISION)
            dh = tl.where(h <= 0, 0.0, dh)
            more = ()
            for f in tl.static_range(F):
                more = more + (dot(tl.trans(p[f]), dh, sum1[f], PRECISION),)
            sum1 = more
            sum2 = dot(tl.trans(h), dx, sum2, PRECISION)
            sum_bias += tl.sum(dx, 0)
            into = dfirst + tile * HIDDEN + j
            before = tl.load(into, mask=j < HIDDEN, other=0.0)
            tl.store(into, before + tl.sum(dh, 0), mask=j < HIDDEN)
    own = (c < OWN)[None, :]
    for f in tl.static_range(F):
        inside = (c < C)[:, None] & (j < HIDDEN)[None, :]
        tl.store(share1 + (f * C + c)[:, None] * HIDDEN + j[None, :], sum1[f], mask=inside)
    tl.store(share2 + j[:, None] * OWN + c[None, :], sum2, mask=(j < HIDDEN)[:, None] & own)
    tl.store(share_bias + c, sum_bias, mask=(c < OWN) & (tl.program_id(1) == 0))
