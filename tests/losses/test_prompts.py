import pytest

from planaria.errors import UserError
from planaria.losses.prompts import Prompt, parse, parse_all


@pytest.mark.parametrize(
    ("typed", "prompt"),
    [
        ("a pencil sketch", Prompt("a pencil sketch")),
        ("mosaic:2", Prompt("mosaic", weight=2)),
        ("a:b:1.5", Prompt("a:b", weight=1.5)),
        ("blurry : -0.5", Prompt("blurry", weight=-0.5)),
        ("Composition VIII: circles", Prompt("Composition VIII: circles")),
        ("half past 12:nan", Prompt("half past 12:nan")),
        (" 1e2 ", Prompt("1e2")),
        ("image:any name:3", Prompt(picture="any name", weight=3)),
        ("a clock at 10:30", Prompt("a clock at 10:30")),
        ("ratio 16:9", Prompt("ratio 16:9")),
        ("ratio 16 : 9", Prompt("ratio 16 : 9")),
        ("at 10:30:15", Prompt("at 10:30:15")),
        ("Psalm 23:-4", Prompt("Psalm 23:-4")),
        ("3:2 photo:1.5", Prompt("3:2 photo", weight=1.5)),
        ("a clock at 10:30 :2", Prompt("a clock at 10:30", weight=2)),
        ("a clock at 10:30 :-0.5", Prompt("a clock at 10:30", weight=-0.5)),
        ("a clock at half past ten: 2", Prompt("a clock at half past ten", weight=2)),
        ("image:text:10:30", Prompt(picture="text:10:30")),
        ("image:http://localhost:8080", Prompt(picture="http://localhost:8080")),
        ("http://a.org:8080/gogh.jpg:2", Prompt(picture="http://a.org:8080/gogh.jpg", weight=2)),
        ("http://a.org:8080/gogh.jpg", Prompt(picture="http://a.org:8080/gogh.jpg")),
        (r"C:\pictures\gogh.jpg", Prompt(picture=r"C:\pictures\gogh.jpg")),
        (r"C:\pictures\gogh.jpg:2", Prompt(picture=r"C:\pictures\gogh.jpg", weight=2)),
        ("in the manner of x.png and y.png", Prompt("in the manner of x.png and y.png")),
    ],
)
def test_words_and_weights(typed, prompt):
    assert parse(typed) == prompt


def test_a_picture_that_is_there_is_a_prompt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Gogh.JPG").touch()
    (tmp_path / "an old cat.png").touch()
    assert parse("Gogh.JPG:2") == Prompt(picture="Gogh.JPG", weight=2)
    assert parse("an old cat.png") == Prompt(picture="an old cat.png")
    assert parse(f"{tmp_path}/Gogh.JPG").picture
    assert parse("gone.png:2") == Prompt(picture="gone.png", weight=2), "who opens it says that it is not there"
    assert parse("image:scene:meadow").picture == "scene:meadow"
    (tmp_path / "mosaic").touch()
    assert parse("mosaic").text == "mosaic"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "says nothing"), ("  ", "says nothing"), (":2", "says nothing"), ("image:", "says nothing"),
        ("image::2", "says nothing"), ("mosaic:0", "weight"), ("mosaic:1e9", "weight"),
    ],
)  # fmt: skip
def test_what_is_no_prompt_says_why(typed, why):
    with pytest.raises(UserError, match=why):
        parse(typed)


def test_one_must_pull():
    assert [p.weight for p in parse_all(["a", "b:-1"])] == [1, -1]
    for none in ([], ["blurry:-1"]):
        with pytest.raises(UserError, match="above 0"):
            parse_all(none)


@pytest.mark.parametrize("name", ["gogh.avif", "gogh.TIFF", "gogh.svg", "gogh.tif:2"])
def test_every_format_of_a_picture_is_one_in_a_prompt(name):
    assert parse(name).picture == name.partition(":")[0]
