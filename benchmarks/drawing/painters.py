"""The painters of the built-in pictures, one function each: bold shapes, saturated colours, opaque in the middle."""

import numpy as np
from PIL import Image, ImageOps

from drawing.canvas import Canvas, blend, spline


def planarian(canvas: Canvas) -> None:
    """The flatworm Dugesia from above, gliding: an arrow head with two lobes, crossed eyes, a gut of three branches."""
    spine = spline(
        [(0.11, 0.02), (0.18, 0.17), (0.22, 0.34), (0.26, 0.51), (0.36, 0.67), (0.53, 0.76), (0.71, 0.72), (0.82, 0.58),
         (0.83, 0.42), (0.75, 0.30), (0.63, 0.25)], n=800)  # fmt: skip
    gone = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(spine, axis=0).T))])
    gone /= gone[-1]
    ahead = np.gradient(spine, gone, axis=0)
    ahead /= np.hypot(*ahead.T)[:, None]

    def bend(points: np.ndarray) -> np.ndarray:
        """From the straight worm (how far along its length, how far to its side, ...) to the bent one."""
        x, y, dx, dy = (np.interp(points[:, 0], gone, c) for c in (*spine.T, *ahead.T))
        return np.column_stack([x - points[:, 1] * dy, y + points[:, 1] * dx, points[:, 2:]])

    half = spline(
        [(0.0, 0.0), (0.004, 0.027), (0.018, 0.054), (0.05, 0.09), (0.105, 0.152), (0.145, 0.205), (0.17, 0.203),
         (0.205, 0.127), (0.26, 0.11), (0.36, 0.12), (0.50, 0.137), (0.64, 0.13), (0.78, 0.10), (0.90, 0.055),
         (0.97, 0.022), (1.0, 0.0)], n=500)  # fmt: skip
    outline = np.vstack([half, half[::-1] * (1, -1)])
    for depth in np.arange(40) / 40:
        inner = outline * (1 - 0.1 * depth, 1 - depth) + (0.07 * depth, 0)
        canvas.fill(bend(inner), blend(("#f4bf8e", "#de987a", "#b86c76", "#995077", "#8a4675", "#854272"), depth))
    gut = Canvas(canvas.side)
    for flip in (-1, 1):
        branch = [(0.23, 0, 0.010), (0.40, 0, 0.02), (0.46, 0, 0.02), (0.51, 0.05, 0.019), (0.58, 0.066, 0.018)]
        branch += [(0.66, 0.055, 0.017), (0.80, 0.035, 0.014), (0.93, 0.01, 0.005)]
        gut.tube(bend(spline(branch) * (1, flip, 1)), "#43184f")
        for at in np.linspace(0.25, 0.87, 14):
            root = float(np.interp(at, *np.array(branch).T[:2]))
            wide = float(np.interp(at, *half.T))
            twig = [(at, root, 0.1 * wide), (at + 0.007, root / 2 + 0.32 * wide, 0.1 * wide)]
            twig += [(at + 0.022, 0.64 * wide, 0.085 * wide)]
            gut.tube(bend(spline(twig) * (1, flip, 1)), "#43184f")
    canvas.wash(gut, 0.6, 0.003)
    spots = Canvas(canvas.side)
    for i, at in enumerate(np.linspace(0.2, 0.95, 70)):
        across = float(np.interp(at, *half.T)) * (i * 0.618 % 1 * 1.7 - 0.85)
        spots.disc(bend(np.array([(at, across)]))[0], 0.004 + 0.003 * (i * 0.755 % 1), "#ffe3b8")
    canvas.wash(spots, 0.6, 0.001)
    pharynx = Canvas(canvas.side)
    pharynx.tube(bend(spline([(0.54, 0, 0.022), (0.575, 0, 0.03), (0.62, 0, 0.02)])), "#ffc9a3")
    canvas.wash(pharynx, 0.95, 0.004)
    for flip in (-1, 1):
        white, pupil, glint = bend(np.array([(0.125, flip * 0.072), (0.118, flip * 0.052), (0.112, flip * 0.045)]))
        canvas.disc(white, 0.056, "#fffdf5")
        canvas.disc(pupil, 0.037, "#1d0f26")
        canvas.disc(glint, 0.009, "#ffffff")


def lizard(canvas: Canvas) -> None:
    """A night-blue gecko from above, climbing, with orange spots, a ringed and curling tail and padded toes."""
    skin = ("#093c5a", "#0f7a8c", "#1aa5a2", "#2fc4b2", "#56dcc4")
    spine = spline(
        [(0.665, 0.035, 0.060), (0.635, 0.085, 0.088), (0.60, 0.135, 0.106), (0.565, 0.19, 0.104), (0.51, 0.275, 0.078),
         (0.46, 0.355, 0.090), (0.42, 0.46, 0.108), (0.42, 0.58, 0.102), (0.46, 0.69, 0.078), (0.53, 0.81, 0.072),
         (0.655, 0.90, 0.066), (0.80, 0.895, 0.058), (0.895, 0.80, 0.050), (0.895, 0.675, 0.042), (0.80, 0.61, 0.034),
         (0.715, 0.655, 0.027), (0.715, 0.74, 0.022), (0.775, 0.765, 0.017)], n=800)  # fmt: skip
    legs = [
        [(0.42, 0.34, 0.054), (0.27, 0.38, 0.044), (0.17, 0.27, 0.037)],
        [(0.50, 0.36, 0.054), (0.69, 0.345, 0.044), (0.82, 0.22, 0.037)],
        [(0.40, 0.66, 0.058), (0.24, 0.63, 0.050), (0.15, 0.76, 0.040)],
        [(0.46, 0.66, 0.058), (0.635, 0.63, 0.050), (0.70, 0.495, 0.040)],
    ]
    for leg in legs:
        wrist = np.array(leg[2][:2])
        heading = np.arctan2(*(wrist - leg[1][:2])[::-1])
        for turn in (-1.2, -0.4, 0.4, 1.2):
            pad = wrist + np.array([np.cos(heading + turn), np.sin(heading + turn)]) * 0.10
            canvas.tube(spline([(*wrist, 0.026), (*pad, 0.018)], n=60), *skin[:3])
            canvas.tube(np.array([(*pad, 0.027)]), "#d9480f", "#ff9f1c", "#ffc46b")
        canvas.tube(spline(leg), *skin[:4])
    canvas.tube(spine, *skin)
    ahead = np.gradient(spine[:, :2], axis=0)
    aside = ahead[:, ::-1] * (-1, 1) / np.hypot(*ahead.T)[:, None]
    marks = Canvas(canvas.side)
    for at in range(470, 800, 44):
        middle, rim = spine[at : at + 20, :2], aside[at : at + 20] * spine[at : at + 20, 2:] * 1.03
        for depth in np.arange(20) / 20:
            ring = np.vstack([middle + rim * (1 - depth), (middle - rim * (1 - depth))[::-1]])
            marks.fill(ring, blend(("#c2410c", "#f97316", "#ffb04d"), depth))
    for i, at in enumerate(range(185, 465, 32)):
        centre = spine[at, :2] + aside[at] * spine[at, 2] * (0.42 if i % 2 else -0.42)
        marks.tube(np.array([(*centre, 0.036)]), "#d9480f", "#ff8f1f", "#ffb84d")
    canvas.wash(marks)
    for flip in (-1, 1):
        eye = spine[118, :2] + aside[118] * flip * 0.088
        for radius, colour in ((0.065, "#093c5a"), (0.059, "#ffd84d"), (0.044, "#10131f")):
            canvas.disc(eye, radius, colour)
        canvas.disc(eye - np.array([0.013, 0.015]), 0.013, "#ffffff")
        canvas.disc(spine[22, :2] + aside[22] * flip * 0.028, 0.008, "#093c5a")


def butterfly(canvas: Canvas) -> None:
    """A morpho from above, wings spread, blue before and violet behind, with four peacock eyes."""
    fore = spline(
        [(0.515, 0.42), (0.60, 0.25), (0.75, 0.11), (0.92, 0.04), (0.985, 0.09), (0.955, 0.25), (0.925, 0.40),
         (0.86, 0.51), (0.72, 0.555), (0.60, 0.53)], closed=True)  # fmt: skip
    hind = spline(
        [(0.515, 0.45), (0.66, 0.49), (0.82, 0.53), (0.905, 0.63), (0.88, 0.77), (0.79, 0.855), (0.755, 0.96),
         (0.70, 0.94), (0.66, 0.865), (0.57, 0.79), (0.515, 0.64)], closed=True)  # fmt: skip
    dark, fur = "#331a7d", ("#1f1038", "#3b2160", "#7a4fa8")
    violet = ("#6a1fb5", "#9a35d9", "#d25be0", "#f58fd0", "#ffc6da", "#ffe0dd")
    blue = ("#1f3fd0", "#1873ee", "#18a4fa", "#3fd0ff", "#8cecff", "#d2fbff")
    wings = (
        (hind, (0.55, 0.53), violet, range(88, 172, 16), (0.745, 0.70, 0.09)),
        (fore, (0.52, 0.44), blue, range(117, 265, 18), (0.80, 0.265, 0.08)),
    )
    for wing, root, colours, rim, (x, y, r) in wings:
        canvas.shade(wing, root, dark, dark, *colours)
        veins = Canvas(canvas.side)
        for at in rim:
            reach = wing[at] - root
            veins.tube(spline([(*(root + reach * 0.3), 0.002), (*(root + reach * 0.85), 0.009)], n=120), dark)
        canvas.wash(veins, 0.4, 0.001)
        for at in rim:
            canvas.disc(root + (wing[at] - root) * 0.94, 0.014, "#fff4d6")
        for part, colour in ((1, dark), (0.86, "#ffc53d"), (0.62, "#f0386b"), (0.44, "#1b1040")):
            canvas.disc((x, y), r * part, colour)
        canvas.disc((x + r * 0.12, y - r * 0.14), r * 0.16, "#ffffff")
    antenna = spline([(0.51, 0.28, 0.011), (0.545, 0.17, 0.011), (0.60, 0.09, 0.012), (0.665, 0.06, 0.013)])
    canvas.tube(antenna, "#4b2a9e")
    canvas.tube(antenna[-20:] + np.array([0, 0, 0.010]), "#e8590c", "#ffc53d")
    canvas.image.alpha_composite(ImageOps.mirror(canvas.image))
    body = spline([(0.5, 0.33, 0.035), (0.5, 0.41, 0.052), (0.5, 0.48, 0.040), (0.5, 0.58, 0.040), (0.5, 0.76, 0.014)])
    canvas.tube(body, *fur)
    for x, y, r in body[np.searchsorted(body[:, 1], (0.49, 0.545, 0.60, 0.65, 0.695))]:
        w = 0.85 * r - 0.006
        canvas.tube(spline([(x - w, y - 0.006, 0.006), (x, y + 0.006, 0.012), (x + w, y - 0.006, 0.006)]), "#ffc53d")
    canvas.tube(np.array([(0.5, 0.285, 0.050)]), *fur)
    for flip in (-1, 1):
        canvas.disc((0.5 + flip * 0.038, 0.268), 0.029, "#a98be0")
        canvas.disc((0.5 + flip * 0.038, 0.268), 0.024, "#0d0718")
        canvas.disc((0.5 + flip * 0.040, 0.260), 0.009, "#ffffff")


def snail(canvas: Canvas) -> None:
    """A garden snail under way to the right, with a sunset spiral for a shell and two eyes on stalks."""
    skin = ("#2f6b12", "#5aa51e", "#93d13a", "#c6ef6a")
    for x, lean in ((0.90, -0.055), (0.95, 0.055)):
        canvas.tube(spline([(x, 0.50, 0.042), (x + lean * 0.6, 0.34, 0.036), (x + lean, 0.20, 0.036)]), *skin[:3])
    canvas.tube(
        spline(
            [(0.03, 0.93, 0.022), (0.14, 0.895, 0.055), (0.36, 0.87, 0.09), (0.62, 0.86, 0.10), (0.79, 0.80, 0.10),
             (0.87, 0.68, 0.098), (0.915, 0.535, 0.11)], n=500),
        *skin,
    )  # fmt: skip
    turn = np.linspace(0, 1, 1500)
    angle, reach = 1.0 - turn * 5.4 * np.pi, 0.37 * (1 - turn) ** 1.25
    whorls = np.column_stack([np.cos(angle) * reach, np.sin(angle) * reach, 0.033 + 0.097 * (1 - turn)])
    canvas.disc((0.43, 0.42), 0.40, "#6b1242")
    canvas.tube(np.array([0.43, 0.42, 0]) + whorls, "#6b1242", "#b3204f", "#ef4747", "#ff7f3f", "#ffb545", "#ffdf80")
    gloss = Canvas(canvas.side)
    gloss.tube(spline([(0.11, 0.36, 0.012), (0.18, 0.18, 0.026), (0.33, 0.055, 0.014)]), "#ffffff")
    canvas.wash(gloss, 0.55, 0.008)
    for x in (0.84, 1.01):
        for radius, colour in ((0.080, "#2f6b12"), (0.072, "#ffffff"), (0.049, "#15101f")):
            canvas.disc((x + (0.072 - radius) * 0.4, 0.185), radius, colour)
        canvas.disc((x - 0.004, 0.165), 0.017, "#ffffff")
    canvas.tube(spline([(0.93, 0.60, 0.010), (0.965, 0.625, 0.014), (1.00, 0.595, 0.010)], n=60), "#2f6b12")


def octopus(canvas: Canvas) -> None:
    """A coral octopus with a big head, wide eyes and eight curling arms."""
    skin = ("#7a1160", "#b31f74", "#e63b7a", "#ff6a7d", "#ff9d8f")
    arms = [
        [(0.36, 0.56), (0.20, 0.60), (0.06, 0.50), (0.02, 0.36), (0.11, 0.30), (0.15, 0.38)],
        [(0.38, 0.60), (0.24, 0.72), (0.08, 0.72), (-0.01, 0.63), (0.03, 0.56)],
        [(0.42, 0.62), (0.33, 0.80), (0.20, 0.90), (0.08, 0.87), (0.09, 0.80)],
        [(0.47, 0.62), (0.44, 0.84), (0.37, 0.98), (0.27, 0.985), (0.27, 0.93)],
        [(0.53, 0.62), (0.56, 0.84), (0.64, 0.985), (0.74, 0.985), (0.745, 0.92)],
        [(0.58, 0.62), (0.68, 0.79), (0.82, 0.87), (0.93, 0.82), (0.90, 0.755)],
        [(0.62, 0.60), (0.77, 0.69), (0.93, 0.66), (1.01, 0.56), (0.955, 0.50)],
        [(0.63, 0.55), (0.78, 0.56), (0.90, 0.44), (0.93, 0.29), (0.86, 0.20), (0.80, 0.27)],
    ]
    for arm in (arms[k] for k in (3, 4, 1, 6, 0, 7, 2, 5)):
        width = np.linspace(0.082, 0.03, len(arm))
        canvas.tube(spline(np.column_stack([arm, width])), *skin[:4])
    head = spline(
        [(0.52, -0.01), (0.68, 0.03), (0.77, 0.16), (0.75, 0.33), (0.68, 0.46), (0.67, 0.60), (0.50, 0.68),
         (0.33, 0.60), (0.32, 0.46), (0.25, 0.34), (0.23, 0.17), (0.34, 0.03)], closed=True)  # fmt: skip
    canvas.shade(head, (0.46, 0.22), *skin, "#ffb9a0")
    spots = _layer(canvas, [((0.60, 0.085), 0.04), ((0.68, 0.165), 0.028), ((0.50, 0.055), 0.024)], "#fff0b8")
    canvas.wash(spots, 0.8, 0.003)
    for x, y in ((0.40, 0.40), (0.61, 0.40)):
        canvas.disc((x, y), 0.088, "#7a1160")
        canvas.disc((x, y), 0.079, "#fffdf5")
        canvas.disc((x + 0.012, y + 0.010), 0.054, "#1a0c2b")
        canvas.disc((x - 0.008, y - 0.014), 0.019, "#ffffff")
    smile = spline([(0.455, 0.535, 0.011), (0.51, 0.565, 0.015), (0.565, 0.53, 0.011)], n=90)
    canvas.tube(smile, "#7a1160")


def mushroom(canvas: Canvas) -> None:
    """A fly agaric with a small one at its side, in grass."""
    _toadstool(canvas, np.array([0.42, 0.0]), 1.0)
    _toadstool(canvas, np.array([0.84, 0.50]), 0.46)
    ground = spline([(0.06, 0.955, 0.03), (0.30, 0.945, 0.055), (0.60, 0.95, 0.055), (0.98, 0.955, 0.035)])
    canvas.tube(ground, "#14602b", "#1f8335", "#2a9a38")
    for x, high, lean in ((0.08, 0.14, -0.06), (0.17, 0.22, -0.03), (0.27, 0.15, 0.03), (0.37, 0.10, -0.03),
                          (0.49, 0.11, 0.02), (0.60, 0.20, 0.03), (0.70, 0.13, -0.02), (0.80, 0.09, 0.02),
                          (0.96, 0.20, 0.04)):  # fmt: skip
        blade = spline(
            [(x, 0.96, 0.030), (x + lean * 0.3, 0.95 - high / 2, 0.027), (x + lean, 0.95 - high, 0.008)], n=120
        )
        canvas.tube(blade, "#14602b", "#2a9a38", "#8edc4f")


def _toadstool(canvas: Canvas, top: np.ndarray, size: float) -> None:
    """One red toadstool with white spots, its cap's top at `top`."""

    def at(points: np.ndarray) -> np.ndarray:
        return np.column_stack([points[:, :2] * size + top, points[:, 2:] * size])

    stem = spline([(0.02, 0.40, 0.115), (0.0, 0.60, 0.115), (0.01, 0.74, 0.13), (0.03, 0.82, 0.145)])
    canvas.tube(at(stem), "#c98a4b", "#efc27e", "#ffdfa3", "#fff0c9")
    ring = spline([(-0.14, 0.58, 0.03), (0.0, 0.61, 0.055), (0.15, 0.57, 0.03)], n=120)
    canvas.tube(at(ring), "#d69a55", "#ffe2a8", "#fff3d2")
    gills = spline([(-0.36, 0.42), (0.0, 0.34), (0.37, 0.38), (0.22, 0.50), (0.0, 0.53), (-0.24, 0.52)], closed=True)
    canvas.shade(at(gills), at(np.array([(0.0, 0.46)]))[0].tolist(), "#4a1020", "#8a3a2a", "#c9703f")
    cap = spline(
        [(0.03, -0.01), (0.25, 0.06), (0.40, 0.23), (0.43, 0.37), (0.36, 0.43), (0.18, 0.40), (-0.02, 0.40),
         (-0.20, 0.425), (-0.36, 0.46), (-0.43, 0.40), (-0.39, 0.24), (-0.22, 0.06)], closed=True)  # fmt: skip
    light = at(np.array([(-0.06, 0.16)]))[0].tolist()
    canvas.shade(at(cap), light, "#6e0522", "#b80a28", "#e31f2c", "#f93a30", "#ff6a45")
    for x, y, r in ((-0.12, 0.12, 0.07), (0.13, 0.20, 0.085), (-0.26, 0.29, 0.06), (-0.04, 0.32, 0.055),
                    (0.31, 0.32, 0.05), (0.10, 0.04, 0.035)):  # fmt: skip
        canvas.tube(at(np.array([(x, y, r)])), "#f7b7a0", "#ffe9d2", "#fffaf0", "#ffffff")


def fish(canvas: Canvas) -> None:
    """A clownfish with tall fins, swimming to the left."""
    fin = ("#3c1e92", "#d9480f", "#ff8a1f", "#ffc23d")
    tail = spline(
        [(0.76, 0.50), (0.86, 0.33), (0.97, 0.20), (1.05, 0.24), (1.01, 0.38), (0.985, 0.51), (1.02, 0.66),
         (1.055, 0.80), (0.96, 0.83), (0.86, 0.68)], closed=True)  # fmt: skip
    back = spline(
        [(0.24, 0.26), (0.30, 0.10), (0.44, 0.00), (0.58, 0.02), (0.70, 0.08), (0.80, 0.10), (0.80, 0.24),
         (0.70, 0.38)], closed=True)  # fmt: skip
    belly = spline([(0.34, 0.76), (0.36, 0.92), (0.46, 1.00), (0.53, 0.93), (0.52, 0.76)], closed=True)
    behind = spline([(0.54, 0.74), (0.62, 0.90), (0.74, 0.95), (0.80, 0.86), (0.74, 0.64)], closed=True)
    for outline, root in ((tail, (0.78, 0.50)), (back, (0.48, 0.30)), (belly, (0.43, 0.74)), (behind, (0.64, 0.68))):
        canvas.shade(outline, root, fin[0], *fin)
    body = spline(
        [(-0.02, 0.53), (0.05, 0.39), (0.20, 0.25), (0.40, 0.19), (0.60, 0.25), (0.76, 0.39), (0.85, 0.44),
         (0.85, 0.57), (0.76, 0.63), (0.60, 0.75), (0.40, 0.81), (0.20, 0.75), (0.05, 0.64)], closed=True)  # fmt: skip
    canvas.tube(np.column_stack([body, np.full(len(body), 0.018)]), "#3c1e92")
    canvas.shade(body, (0.36, 0.42), "#b52a06", "#e8510a", "#ff7a12", "#ff9a2e", "#ffb84a")
    marks = Canvas(canvas.side)
    for wide, colour in ((1.0, "#3c1e92"), (0.68, "#fff6ea")):
        for x, bow, r in ((0.31, 0.07, 0.088), (0.60, 0.05, 0.080), (0.815, -0.005, 0.05)):
            marks.tube(spline([(x, 0.12, r * wide), (x + bow, 0.50, r * wide), (x - 0.01, 0.88, r * wide)]), colour)
    canvas.image.alpha_composite(_inside(canvas, body, marks))
    side = spline([(0.47, 0.53), (0.58, 0.50), (0.66, 0.57), (0.62, 0.67), (0.52, 0.66)], closed=True)
    canvas.shade(side, (0.49, 0.58), *fin)
    for radius, colour in ((0.088, "#3c1e92"), (0.078, "#fffdf5"), (0.054, "#150a2b")):
        canvas.disc((0.165, 0.42), radius, colour)
    canvas.disc((0.145, 0.397), 0.021, "#ffffff")
    canvas.tube(spline([(0.015, 0.575, 0.010), (0.07, 0.605, 0.015), (0.12, 0.575, 0.010)], n=90), "#7a1c05")


def flower(canvas: Canvas) -> None:
    """A gerbera from above, slightly turned, with two leaves under it."""
    for tip, bend in (((1.03, 0.90), (0.86, 0.52)), ((0.02, 0.99), (0.05, 0.60))):
        root, end, knee = np.array((0.5, 0.5)), np.array(tip), np.array(bend)
        leaf = spline([root, knee, end, 2 * (root + end) / 2 - knee], closed=True)
        canvas.shade(leaf, ((root + end) / 2).tolist(), "#0f5a2c", "#1f9a3c", "#5ccc4a", "#b4ef6a")
    rings = (
        (9, 0.20, 0.50, 0.125, ("#6b0f6b", "#9c1a8a", "#c72e9c", "#df52a8")),
        (9, 0.55, 0.44, 0.120, ("#a3126f", "#e0247f", "#ff4f93", "#ff86ae", "#ffc0cc")),
    )
    for count, start, reach, half, colours in rings:
        for k in range(count):
            angle = start + k * 2 * np.pi / count
            long = reach * (1 + 0.04 * np.sin(5.0 * k))
            petal = spline(
                [(0.05, 0), (long * 0.45, half * 0.75), (long * 0.82, half), (long, 0.0), (long * 0.82, -half),
                 (long * 0.45, -half * 0.75)], closed=True)  # fmt: skip
            turned = petal @ np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
            heart_of_it = long * 0.72 * np.array((np.cos(angle), np.sin(angle))) + 0.5
            canvas.shade(turned + 0.5, heart_of_it.tolist(), *colours)
    canvas.tube(np.array([(0.5, 0.5, 0.175)]), "#3a0a2e", "#4a0d2e", "#c2410c", "#f59a17", "#ffd23f", "#fff07a")
    seeds = [(k, 0.135 * np.sqrt((k + 0.5) / 34)) for k in range(34)]
    places = [((0.5 + r * np.cos(k * 2.39996), 0.5 + r * np.sin(k * 2.39996)), 0.011) for k, r in seeds]
    canvas.wash(_layer(canvas, places, "#8a2a05"), 0.75, 0.002)


def ladybird(canvas: Canvas) -> None:
    """A seven-spot ladybird from above, walking up to the right."""
    turn = 0.92 * np.array([(np.cos(0.5), np.sin(0.5)), (-np.sin(0.5), np.cos(0.5))])

    def at(points: np.ndarray | tuple[float, ...]) -> np.ndarray:
        """From an upright beetle around (0, 0) to the walking one: places, and radii where given."""
        points = np.atleast_2d(points)
        return np.column_stack([points[:, :2] @ turn + (0.5, 0.5), points[:, 2:]])

    dark = ("#33207a", "#47349c", "#6a56c8")
    for flip in (-1, 1):
        for hip, knee, foot in ((-0.14, -0.24, -0.33), (0.10, 0.07, 0.12), (0.26, 0.34, 0.41)):
            leg = [(flip * 0.25, hip, 0.046), (flip * 0.42, knee, 0.042), (flip * 0.50, foot, 0.036)]
            canvas.tube(at(spline(leg, n=160)), *dark)
        feeler = [(flip * 0.07, -0.42, 0.030), (flip * 0.12, -0.53, 0.028), (flip * 0.21, -0.575, 0.036)]
        canvas.tube(at(spline(feeler, n=160)), *dark)
    canvas.tube(at((0.0, -0.37, 0.165)), "#2b1a66", "#2b1a66", "#3d2a8c")
    round_ = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    collar = np.column_stack([0.285 * np.cos(round_), -0.27 + 0.165 * np.sin(round_)])
    canvas.shade(at(collar), at((0, -0.27))[0].tolist(), "#1a1040", "#2b1a66", "#3d2a8c")
    for flip in (-1, 1):
        canvas.disc(at((flip * 0.095, -0.425))[0], 0.074, "#ffffff")
        canvas.disc(at((flip * 0.085, -0.435))[0], 0.046, "#120a26")
        canvas.disc(at((flip * 0.085 - 0.016, -0.445))[0], 0.015, "#ffffff")
    wings = np.column_stack([0.39 * np.cos(round_), 0.10 + 0.39 * np.sin(round_)])
    shine = at((-0.15, -0.04))[0].tolist()
    canvas.shade(at(wings), shine, "#7a0518", "#b80a1e", "#e01e1e", "#f8382a", "#ff6a3c", "#ff9a5c")
    marks = Canvas(canvas.side)
    marks.tube(at(spline([(0, -0.30, 0.017), (0, 0.10, 0.017), (0, 0.52, 0.024)])), "#2a0a2e")
    for x, y, r in ((0.0, -0.215, 0.095), (0.20, -0.03, 0.085), (0.245, 0.19, 0.08), (0.115, 0.36, 0.07)):
        for flip in (-1, 1):
            marks.tube(at((flip * x, y, r)), "#1c0a33", "#2b1a4a")
    canvas.image.alpha_composite(_inside(canvas, at(wings), marks))
    gloss = Canvas(canvas.side)
    gloss.tube(at(spline([(-0.30, 0.06, 0.012), (-0.26, -0.08, 0.030), (-0.15, -0.18, 0.014)])), "#ffffff")
    canvas.wash(gloss, 0.75, 0.008)


def heart(canvas: Canvas) -> None:
    """A glossy heart, leaning a little, lit from the upper left."""
    t = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    upright = np.column_stack(
        [16 * np.sin(t) ** 3, -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))]
    )
    outline = upright / 34 @ np.array([(0.985, 0.17), (-0.17, 0.985)]) + (0.5, 0.46)
    canvas.fill(outline, "#5a0840")
    body = Canvas(canvas.side)
    body.shade(outline, (0.41, 0.42), "#5a0840", "#9a0c4a", "#d0134c", "#f02a50", "#ff4a5a", "#ff6d68", "#ff9384")
    canvas.wash(body, 1.0, 0.035)
    bounce = Canvas(canvas.side)
    bounce.tube(spline([(0.64, 0.82, 0.015), (0.80, 0.64, 0.035), (0.91, 0.42, 0.015)]), "#a64dff")
    canvas.wash(bounce, 0.8, 0.025)
    gloss = Canvas(canvas.side)
    gloss.tube(spline([(0.14, 0.41, 0.020), (0.16, 0.28, 0.050), (0.26, 0.165, 0.032)]), "#ffffff")
    gloss.disc((0.185, 0.50), 0.028, "#ffffff")
    gloss.tube(spline([(0.70, 0.17, 0.014), (0.79, 0.19, 0.024), (0.85, 0.25, 0.012)]), "#ffffff")
    canvas.wash(gloss, 0.9, 0.007)


def _layer(canvas: Canvas, discs: list[tuple[tuple[float, float], float]], colour: str) -> Canvas:
    """A canvas of the same size with spots of one colour."""
    layer = Canvas(canvas.side)
    for centre, radius in discs:
        layer.disc(centre, radius, colour)
    return layer


def _inside(canvas: Canvas, outline: np.ndarray, marks: Canvas) -> Image.Image:
    """What of `marks` lies inside an outline."""
    stencil = Canvas(canvas.side)
    stencil.fill(outline, "#ffffff")
    nothing = Image.new("RGBA", marks.image.size)
    return Image.composite(marks.image, nothing, stencil.image.getchannel("A"))
