"""The studio says what a picture brings with it, and takes it away."""

import pytest
from PIL import Image, ImageDraw

pytest_plugins = ("helpers.browser",)
studios = pytest.importorskip("helpers.studios", reason="the studio's libraries are not installed")
CORNER = "Array.from(document.querySelector('.preview-cells').getContext('2d').getImageData(0, 0, 1, 1).data)[3]"


@pytest.fixture
def page(tmp_path, open_plain):
    with studios.studio(tmp_path / "runs") as place:
        opened = open_plain()
        opened.goto(f"{place.origin}/#/new")
        yield opened


def egg(path, ground: str) -> None:
    drawing = Image.new("RGB", (120, 120), ground)
    ImageDraw.Draw(drawing).ellipse((30, 40, 89, 79), fill="#c04020")
    drawing.save(path)


def test_a_drawing_on_white_is_told_and_cut_out(page, tmp_path):
    egg(tmp_path / "egg.png", "white")
    page.set_input_files("#picture-file", tmp_path / "egg.png")
    note = page.locator(".picture-note")
    note.wait_for()
    assert "egg.png lies on a plain white background" in note.inner_text()
    assert "background=auto trim=true" in note.inner_text()
    page.locator(".preview-cells[width='40'][height='40']").wait_for()
    assert page.evaluate(CORNER) == 255
    page.get_by_role("button", name="Leave it out").click()
    page.locator(".preview-cells[width='40'][height='27']").wait_for()
    assert page.get_by_label("Background to leave out").input_value() == "auto"
    assert page.get_by_role("switch", name="Cut empty margins").is_checked()
    assert note.is_hidden()
    assert page.evaluate(CORNER) == 0


def test_another_picture_is_cut_out_at_once_and_a_photo_brings_no_word(page, tmp_path):
    page.get_by_label("Background to leave out").fill("auto")
    egg(tmp_path / "grey.png", "#b0b0b0")
    page.set_input_files("#picture-file", tmp_path / "grey.png")
    page.locator(".preview-name", has_text="grey.png").wait_for()
    page.wait_for_function(f"{CORNER} === 0")
    gradient = Image.linear_gradient("L").resize((90, 60))
    Image.merge("RGB", (gradient, gradient.transpose(Image.Transpose.ROTATE_180), gradient)).save(tmp_path / "sky.png")
    page.set_input_files("#picture-file", tmp_path / "sky.png")
    page.locator(".preview-name", has_text="sky.png").wait_for()
    page.locator(".preview-cells[width='40'][height='27']").wait_for()
    assert page.locator(".picture-note").is_hidden()
