"""Drawings on plain backgrounds, cut out: seen against another colour, nothing of the old one is left."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from planaria.data import keying
from planaria.data.images import picture, remarks
from planaria.data.regions import regions, widened
from planaria.errors import UserError

SIDE = 240


def drawn(*shapes: tuple[str, tuple[int, ...], str], ground: str = "white", side: int = SIDE) -> Image.Image:
    """Ellipses and rectangles with soft edges; places in 240ths of the side."""
    large = Image.new("RGB", (4 * side, 4 * side), ground)
    pen = ImageDraw.Draw(large)
    for kind, box, colour in shapes:
        getattr(pen, kind)([place * 4 * side // SIDE for place in box], fill=colour)
    return large.resize((side, side), Image.Resampling.BOX)


def jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGBA")


def alpha(image: Image.Image, background: str = "auto", **options) -> np.ndarray:
    return np.asarray(keying.prepared(image, background, False, **options).getchannel("A")) / 255


def halo(image: Image.Image, ink: tuple[int, int, int]) -> float:
    """How far what is seen differs from the ink at most, where a cell is seen at all."""
    cut = np.asarray(keying.prepared(image, "auto", False), float)
    return float(np.abs(cut[..., :3] - ink).max(2)[cut[..., 3] > 64].max())


RED = ("ellipse", (40, 50, 200, 190), "#c04020")
DISC = np.hypot(*(np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2))


@pytest.mark.parametrize("ground", ["white", "black", "#b4b4b4", "#fce8d0", "#2040c0"])
def test_soft_edges_keep_nothing_of_the_background(ground):
    image = drawn(RED, ground=ground)
    cover = alpha(image)
    assert cover[:40].max() == 0
    assert cover[120, 60:180].min() == 1
    assert abs(cover.sum() / (np.pi * 80 * 70) - 1) < 0.01, "as much of it as was drawn"
    assert halo(image, (192, 64, 32)) < keying.NEAR
    assert ((cover > 0.1) & (cover < 0.9)).any(), "edges stay soft"


def test_the_same_is_seen_on_the_old_background():
    image = drawn(RED, ("ellipse", (90, 90, 130, 130), "#fff0a0"))
    cut = keying.prepared(image, "auto", False)
    again = Image.new("RGBA", image.size, "white")
    again.alpha_composite(cut)
    assert np.abs(np.asarray(again.convert("RGB"), int) - np.asarray(image, int)).max() <= keying.NEAR + 1


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_what_jpeg_leaves_around_a_drawing_goes_too(quality):
    face = RED, ("ellipse", (80, 80, 110, 120), "white"), ("ellipse", (100, 140, 160, 160), "#301008")
    cover = alpha(jpeg(drawn(*face), quality))
    assert cover[:40].max() == cover[:, :30].max() == cover[200:].max() == 0
    assert cover[100, 95] == 1, "an eye stays"
    assert abs(cover.sum() / (np.pi * 80 * 70) - 1) < 0.03


def test_a_pale_area_of_its_own_is_no_mixture():
    cover = alpha(drawn(("ellipse", (40, 40, 200, 200), "#fff0a0"), ("rectangle", (90, 30, 150, 80), "black")))
    assert cover[(DISC < 76)].min() > 0.97


RING = (("ellipse", (40, 40, 200, 200), "#203040"), ("ellipse", (80, 80, 160, 160), "white"))
OUTLINE = (("ellipse", (40, 40, 200, 200), "black"), ("ellipse", (44, 44, 196, 196), "white"))
PENGUIN = (*RING, ("rectangle", (100, 50, 140, 70), "orange"))


@pytest.mark.parametrize(
    ("shapes", "background", "inside"),
    [
        (RING, "auto", 0), (OUTLINE, "auto", 1), (PENGUIN, "auto", 1), (RING, "auto/solid", 1),
        (OUTLINE, "auto/holes", 0), (PENGUIN, "white/holes", 0), (RING, "white", 0), (RING, "#ffffff", 0),
    ],
)  # fmt: skip
def test_what_is_enclosed(shapes, background, inside):
    image = drawn(*shapes)
    for one in (image, jpeg(image)):
        cover = alpha(one, background)
        assert cover[120, 120] == inside
        assert cover[0, 0] == 0


def test_a_soft_shadow_becomes_a_shadow():
    blur = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(blur).ellipse((60, 160, 200, 210), fill=130)
    image = Image.new("RGB", (SIDE, SIDE), "white")
    image.paste("black", (0, 0), blur.filter(ImageFilter.GaussianBlur(9)))
    ImageDraw.Draw(image).ellipse((60, 60, 160, 170), fill="#30a050")
    cut = np.asarray(keying.prepared(image, "auto", False))
    assert 90 < cut[190, 130, 3] < 150
    assert cut[190, 130, :3].max() == 0
    assert cut[100, 110].tolist() == [0x30, 0xA0, 0x50, 255]
    light = (cut[..., :3].min(2) > 170) & (cut[..., 3] > 30)
    assert not light.any(), "no white is left between the two"


def camera(mode: str) -> Image.Image:
    """What a camera might have taken: no plain background."""
    y, x = np.mgrid[:120, :160] / 120
    rng = np.random.default_rng(0)
    if mode == "landscape":
        levels = np.stack([90 + 120 * y, 120 + 60 * y, 220 - 160 * y], -1)
    elif mode == "wall":
        levels = np.full((120, 160, 3), 150.0) + rng.normal(0, 6, (120, 160, 3))
    elif mode == "vignette":
        levels = np.repeat(230 - 120 * np.hypot(x - 0.66, y - 0.5)[..., None], 3, 2)
    else:
        levels = np.where(y[..., None] < 0.45, 255.0, 80 + 60 * np.sin(40 * x + 30 * y)[..., None]).repeat(3, 2)
    levels = np.where((np.hypot(x - 0.66, y - 0.5) < 0.25)[..., None], [60, 40, 30], levels)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("mode", ["landscape", "wall", "vignette", "white sky"])
def test_photos_are_left_alone(mode):
    for image in (camera(mode).convert("RGBA"), jpeg(camera(mode), 90)):
        assert keying.plain(image) is None
        assert keying.remark(image, "none", False, "it") is None
        assert keying.prepared(image, "auto", True).tobytes() == image.tobytes()
        told = keying.remark(image, "auto", False, "it")
        assert told is not None
        assert "finds no plain background" in told.text


@pytest.mark.parametrize(
    "image", [Image.new("RGB", (9, 9), "white"), Image.new("RGBA", (9, 9), (1, 2, 3, 0)), Image.new("RGB", (1, 1))]
)
def test_nothing_but_background_is_no_drawing(image):
    assert keying.plain(image) is None


def test_what_is_told():
    def told(image: Image.Image, background: str = "none", trim: bool = False) -> str:
        found = keying.remark(image, background, trim, "cat.png")
        return found.text if found else ""

    small = drawn(("ellipse", (80, 100, 160, 150), "#c04020"))
    wide = drawn(("ellipse", (5, 60, 235, 190), "#c04020"), ground="#808080")
    assert told(small) == (
        "cat.png lies on a plain white background and its empty margins, which are learned too; "
        "add background=auto trim=true to leave that out"
    )
    assert told(small, trim=True).endswith("add background=auto to leave that out")
    assert told(small, "auto") == (
        "cat.png spans 34% of its picture, and the empty margins count as cells; add trim=true to cut them off"
    )
    assert told(small, "auto", True) == told(small, "white", True) == ""
    assert told(wide) == (
        "cat.png lies on a plain #808080 background, which is learned too; add background=auto to leave that out"
    )
    assert told(wide, "auto") == ""
    assert told(keying.prepared(small, "auto", False)).endswith("add trim=true to cut them off")
    assert told(keying.prepared(small, "auto", True)) == ""
    found = keying.remark(small, "none", False, "it")
    assert found is not None
    assert found.settings == {"background": "auto", "trim": "true"}


def test_a_picture_is_what_is_left(tmp_path):
    path = tmp_path / "egg.png"
    drawn(("ellipse", (80, 100, 160, 150), "#c04020")).save(path)
    whole = picture(path, 40)
    assert bool((whole[3] == 1).all()), "as ever, where nobody asks"
    kept = picture(path, 40, 2, background="auto")
    assert kept.shape == (4, 44, 44)
    assert kept[3, :18].max() < 0.03
    cut = picture(path, 40, background="auto", trim=True)
    assert cut.shape == (4, 25, 40)
    assert cut[3].mean() > 0.7
    assert [remark.text for remark in remarks(path)] == [
        f"{path} lies on a plain white background and its empty margins, which are learned too; "
        "add background=auto trim=true to leave that out"
    ]
    assert remarks("lizard") == remarks("text:HELLO") == remarks("scene:sea") == []


def test_margins_of_what_is_transparent_are_cut_too(tmp_path):
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((200, 0, 0, 255), (20, 40, 60, 50))
    image.save(tmp_path / "a.png")
    assert picture(tmp_path / "a.png", 40, trim=True).shape == (4, 10, 40)
    assert picture(tmp_path / "a.png", 40, trim=True, background="auto").shape == (4, 10, 40), "it is cut out already"


@pytest.mark.parametrize("mode", ["L", "P", "1", "F"])
def test_other_modes(mode):
    image = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(image).rectangle((20, 20, 39, 39), fill=0)
    one = Image.fromarray(np.asarray(image, np.float32) / 255) if mode == "F" else image.convert(mode)
    cover = alpha(one)
    assert cover[30, 30] == 1
    assert cover.sum() == 400


def test_pixels_that_were_set_by_hand_stay_as_they_are():
    image = Image.new("RGB", (16, 16), "white")
    image.paste("#e0e0e0", (4, 4, 12, 12))
    image.paste("black", (6, 4, 8, 12))
    cut = np.asarray(keying.prepared(image, "auto", False))
    assert cut[8, 5].tolist() == [0xE0, 0xE0, 0xE0, 255]
    assert (cut[..., 3] > 0).sum() == 64


@pytest.mark.parametrize(
    ("background", "says"),
    [
        ("wite", "got 'wite'. Did you mean 'white'?"),
        ("atuo", "Did you mean 'auto'?"),
        ("#12", "background is none, auto, a colour by name or #rrggbb"),
        ("auto/hole", "with /holes or /solid if need be"),
        ("none/holes", "got 'none/holes'"),
        ("rgb(1,2", "got 'rgb(1,2'"),
    ],
)
def test_what_is_no_background(background, says):
    with pytest.raises(UserError) as error:
        keying.parse(background)
    assert says in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_colour_that_is_not_there_is_told():
    with pytest.raises(UserError, match="it: background=black is nowhere at its border; background=auto looks for it"):
        keying.prepared(drawn(RED), "black", False, shown="it")
    with pytest.raises(UserError, match="it: nothing to grow: all of it is background"):
        keying.prepared(Image.new("RGB", (9, 9), "white"), "white", False, shown="it")


def test_a_large_picture_is_reduced_as_its_cells_allow():
    image = drawn(RED, side=1200)
    assert keying.prepared(image, "auto", False).size == (512, 512)
    assert keying.prepared(image, "auto", False, cells=200).size == (800, 800)
    assert keying.prepared(image, "none", False).size == (1200, 1200)


def test_regions_are_those_that_touch():
    rng = np.random.default_rng(1)
    for share in (0.3, 0.55, 0.7, 1.0, 0.0):
        mask = rng.random((23, 31)) < share
        found, there = regions(mask), np.full(mask.shape, -1)
        for seed in zip(*mask.nonzero(), strict=True):
            waiting = [seed] if there[seed] < 0 else []
            name = int(there.max()) + 1
            while waiting:
                i, j = waiting.pop()
                if 0 <= i < 23 and 0 <= j < 31 and mask[i, j] and there[i, j] < 0:
                    there[i, j] = name
                    waiting += [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
        assert ((found < 0) == ~mask).all()
        pairs = set(zip(found[mask].tolist(), there[mask].tolist(), strict=True))
        assert len(pairs) == len(set(found[mask].tolist())) == len(set(there[mask].tolist()))


def test_a_mask_is_widened_as_a_square():
    mask = np.zeros((7, 9), bool)
    mask[3, 4] = True
    assert widened(mask, 2)[1:6, 2:7].all()
    assert widened(mask, 2).sum() == 25
