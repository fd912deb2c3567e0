import io

import numpy as np
from rich.console import Console
from rich.measure import Measurement
from rich.segment import Segment

from planaria.view.half_blocks import HalfBlocks, cropped


def cells(block: HalfBlocks, width: int = 200) -> list[list[tuple[tuple, tuple]]]:
    """Upper and lower colour of every character, line by line."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=width)
    lines = []
    for line in Segment.split_lines(console.render(block)):
        row = []
        for segment in line:
            assert set(segment.text) == {"▀"}
            pair = tuple(segment.style.color.triplet), tuple(segment.style.bgcolor.triplet)
            row += [pair] * len(segment.text)
        lines.append(row)
    return lines


def picture(h: int, w: int, levels: int = 256) -> np.ndarray:
    return np.random.default_rng(1).integers(0, levels, (h, w, 3), np.uint8)


def test_every_pixel_has_its_colour():
    image = picture(6, 5)
    found = cells(HalfBlocks(image))
    assert [len(line) for line in found] == [5, 5, 5]
    for i in range(6):
        for j in range(5):
            assert found[i // 2][j][i % 2] == tuple(image[i, j].tolist())


def test_equal_neighbours_are_one_segment_and_no_other():
    image = picture(4, 60, 2) * 255  # few colours: runs of every length
    found = cells(HalfBlocks(image))
    assert found == [
        [(tuple(u), tuple(v)) for u, v in zip(image[k].tolist(), image[k + 1].tolist(), strict=True)] for k in (0, 2)
    ]
    flat = np.zeros((2, 60, 3), np.uint8)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=200)
    assert [s.text for s in console.render(HalfBlocks(flat))] == ["▀" * 60, "\n"]


def test_the_last_row_of_an_odd_picture_is_doubled():
    image = picture(3, 4)
    found = cells(HalfBlocks(image))
    assert [len(line) for line in found] == [4, 4]
    assert found[1] == [(tuple(v), tuple(v)) for v in image[2].tolist()]


def test_what_a_terminal_is_sent():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=80)
    console.print(HalfBlocks(np.array([[[255, 0, 0]], [[0, 0, 254]]], np.uint8)))
    assert out.getvalue() == "\x1b[38;2;255;0;0;48;2;0;0;254m▀\x1b[0m\n"


def test_a_wide_picture_shrinks_to_the_columns():
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, :20] = (200, 100, 0)
    image[:10, 20:] = (0, 0, 100)
    found = cells(HalfBlocks(image, 10))
    assert len(found) == 3  # 5 rows
    assert {len(line) for line in found} == {10}
    assert found[0] == [((200, 100, 0),) * 2] * 5 + [((0, 0, 100),) * 2] * 5
    assert found[2] == [((200, 100, 0),) * 2] * 5 + [((0, 0, 0),) * 2] * 5


def test_shrinking_averages():
    image = np.tile(np.array([[[0, 100, 200]], [[100, 200, 0]]], np.uint8), (1, 4, 1))
    assert cells(HalfBlocks(image, 2)) == [[((50, 150, 100),) * 2] * 2]


def test_a_very_wide_picture_keeps_a_row():
    assert [len(line) for line in cells(HalfBlocks(picture(1, 500), 10))] == [10]


def test_a_picture_that_fits_is_left_alone():
    image = picture(2, 10)
    assert np.array_equal(HalfBlocks(image, 10).image, image)


def test_it_says_how_wide_it_is():
    console = Console(file=io.StringIO(), width=200)
    assert Measurement.get(console, console.options, HalfBlocks(picture(4, 30), 20)) == Measurement(20, 20)


def test_frames_are_cropped_to_what_is_drawn_in_any_of_them_but_for_one():
    frames = np.full((2, 9, 8, 3), 255, np.uint8)
    assert cropped(frames).shape == frames.shape
    frames[0, 3, 4], frames[1, 5, 2] = 0, 0
    assert np.array_equal(cropped(frames), frames[:, 2:7, 1:6])
    frames[1, 8, 7] = 0
    assert np.array_equal(cropped(frames), frames[:, 2:9, 1:8])
