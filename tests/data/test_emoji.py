"""One emoji as a target."""

import re

import pytest

from planaria.commands import install
from planaria.data import emoji
from planaria.data.images import open_image, picture
from planaria.errors import UserError

needs_font = pytest.mark.skipif(not emoji.fonts(), reason="no colour font: apt install fonts-noto-color-emoji")
needs_artwork = pytest.mark.skipif(not emoji.artwork(), reason="no OpenMoji: the extra `emoji` is missing")


@pytest.fixture
def fontless(monkeypatch):
    """A machine without any colour font."""
    monkeypatch.delenv("PLANARIA_EMOJI_FONT", raising=False)
    monkeypatch.setattr(emoji, "FONTS", ())
    monkeypatch.setenv("PATH", "")


@pytest.mark.parametrize(
    "text",
    ["🦎", "👩‍🚀", "🇳🇿", "👍🏽", "5️⃣", "♥️", "☀", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"],
)
def test_one_emoji(text):
    assert emoji.is_emoji(text)


@pytest.mark.parametrize("text", ["", "a", "5", "#", "cat.png", "🦎🦋", "🦎 ", "🇳", "\u200d", "é", "漢", "🦎.png"])
def test_not_one_emoji(text):
    assert not emoji.is_emoji(text)


@needs_font
@pytest.mark.parametrize("source", ["🦎", "emoji:🦎", "👩‍🚀", "🇳🇿"])
def test_emoji_are_drawn(source):
    x = picture(source, 40)
    assert max(x.shape) == 40
    assert x[3].max() > 0.95
    assert (x[:3].amax(0) - x[:3].amin(0)).max() > 0.3  # in colour
    image = open_image(source)
    assert image.getchannel("A").getbbox() == (0, 0, *image.size)


@needs_font
def test_a_lizard_is_green():
    x = picture("🦎", 40)
    assert x[1].sum() > 1.5 * x[0].sum()


@needs_font
@pytest.mark.parametrize("text", ["→", "\U0001faff", "🦎\u200d🚀"])
def test_emoji_that_the_font_lacks(text):
    with pytest.raises(UserError, match="is not in the colour font"):
        picture(text)


def test_emoji_without_font_and_artwork(fontless, monkeypatch):
    monkeypatch.setattr(emoji, "artwork", dict)
    with pytest.raises(UserError, match=f"{re.escape(install('emoji'))}.*apt install fonts-noto-color-emoji"):
        picture("🦎")


@needs_artwork
@pytest.mark.parametrize("text", ["🦎", "👩‍🚀", "🇳🇿", "👍🏽", "5️⃣", "♥️", "♥", "🏳️‍🌈", "🏳‍🌈"])
def test_without_a_font_emoji_are_taken_from_artwork(fontless, text):
    image = open_image(text)
    assert image.getchannel("A").getbbox() == (0, 0, *image.size)
    x = picture(text, 40)
    assert max(x.shape) == 40
    assert (x[:3].amax(0) - x[:3].amin(0)).max() > 0.3  # in colour


@needs_artwork
def test_emoji_that_the_artwork_lacks(fontless):
    with pytest.raises(UserError, match="is not in OpenMoji's artwork; try another emoji"):
        picture("🦎\u200d🚀")


@needs_artwork
def test_a_font_that_was_chosen_is_not_replaced_by_artwork(monkeypatch, tmp_path):
    monkeypatch.setenv("PLANARIA_EMOJI_FONT", str(tmp_path / "none.ttf"))
    with pytest.raises(UserError, match="cannot use the emoji font"):
        picture("🦎")


def test_emoji_with_a_font_that_is_none(monkeypatch, tmp_path):
    path = tmp_path / "font.ttf"
    path.write_text("no font")
    for name in (path, tmp_path / "none.ttf"):
        monkeypatch.setenv("PLANARIA_EMOJI_FONT", str(name))
        with pytest.raises(UserError, match="cannot use the emoji font"):
            picture("🦎")


def test_several_emoji_are_words_at_most():
    with pytest.raises(UserError, match="is not one emoji"):
        picture("emoji:🦎🦋")
