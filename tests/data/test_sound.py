"""Sound of a film: copied as it is, from the first frame taken on, or said to be left out."""

from pathlib import Path

import numpy as np
import pytest
from helpers.painters import painter, save
from helpers.reels import encode, steps

from planaria.cli import main
from planaria.data.frames import open_frames
from planaria.data.sound import Sound, left_out
from planaria.data.video import write_mp4

av = pytest.importorskip("av")
RATE = 44100


def sounding(path: Path, codec: str = "aac", seconds: float = 2.0) -> str:
    """A film of ten frames a second, whose tone begins after half of it."""
    tone = np.sin(np.arange(round(seconds * RATE)) * 0.06).astype(np.float32) * 0.8
    tone[: len(tone) // 2] = 0
    with av.open(str(path), "w") as box:
        stream, sound = box.add_stream("libx264", rate=10), box.add_stream(codec, rate=RATE)
        sound.layout = "mono"
        frames = steps(round(seconds * 10))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            box.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        box.mux(stream.encode())
        for k in range(0, len(tone), 1024):
            piece = av.AudioFrame.from_ndarray(tone[None, k : k + 1024], "fltp", "mono")
            piece.rate, piece.pts = RATE, k
            box.mux(sound.encode(piece))
        box.mux(sound.encode())
    return str(path)


def heard(path: str | Path) -> np.ndarray:
    """What is heard in each tenth of a second, as its loudness."""
    with av.open(str(path)) as box:
        if not box.streams.audio:
            return np.empty(0)
        parts = [(frame.time, frame.to_ndarray()[0]) for frame in box.decode(audio=0)]
    sums = np.zeros(100)
    for time, piece in parts:
        sums[max(0, int(time * 10 + 0.5))] += float(np.square(piece.astype(np.float64)).sum())
    return np.trim_zeros(np.round(sums > 100).astype(int), "b")


def said(capsys, *words: object) -> list[str]:
    capsys.readouterr()
    assert main([*map(str, words)]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def clip(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    return sounding(tmp_path / "clip.mp4")


def test_sound_goes_along(clip, capsys):
    assert said(capsys, "frames", clip, "a.mp4") == ["a.mp4: 20 frames, 10 a second"]
    assert heard("a.mp4")[:9].sum() == 0
    assert heard("a.mp4")[12:19].sum() >= 6
    assert len(open_frames("a.mp4")) == 20


def test_sound_goes_along_from_where_the_film_begins(clip, capsys):
    said(capsys, "frames", clip, "a.mp4", "--start", 10, "--every", 2)
    assert open_frames("a.mp4").fps == 5
    assert heard("a.mp4")[2:9].sum() >= 6
    assert len(heard("a.mp4")) <= 11
    said(capsys, "frames", clip, "b.mp4", "--count", 8)
    assert heard("b.mp4").sum() == 0
    with av.open("b.mp4") as box:
        audio = box.streams.audio[0]
        assert float(audio.duration * audio.time_base) == pytest.approx(0.8, abs=0.1)


def test_a_film_that_is_repainted_keeps_its_sound(clip, capsys):
    save(Path("style.safetensors"), painter(spread=0.08))
    said(capsys, "apply", "style.safetensors", clip, "-o", "a.mp4", "--steps", 1, "--frame-steps", 1, "--size", 16)
    assert heard("a.mp4")[12:19].sum() >= 6
    lines = said(
        capsys, "apply", "style.safetensors", clip, "-o", "a.gif", "--steps", 1, "--frame-steps", 1, "--size", 16
    )
    assert lines[1:] == [f"{clip}: its sound is left out: a .gif holds none, an .mp4 does"]


def test_sound_that_is_left_out_is_told(clip, capsys):
    for words, why in (
        (["a.gif"], "a .gif holds none, an .mp4 does"),
        (["folder"], "a folder of pictures holds none, an .mp4 does"),
        (["a.mp4", "--fps", 5], "at another pace (--fps) it would not fit"),
    ):
        lines = said(capsys, "frames", clip, *words)
        assert f"{clip}: its sound is left out: {why}" in lines
    assert heard("a.mp4").size == 0
    raw = sounding(Path("raw.mkv").absolute(), "pcm_f32le")
    assert "its sound (pcm_f32le) is left out: no .mp4 holds it" in "".join(said(capsys, "frames", raw, "b.mp4"))


def test_a_silent_film_says_nothing(tmp_path):
    assert open_frames(encode(tmp_path / "a.mp4", steps(2))).sound is None
    assert left_out(None, Path("a.gif")) == ""


def test_sound_that_breaks_off_leaves_the_film_whole(clip, tmp_path, monkeypatch):
    from planaria.data import sound

    film = open_frames(clip)
    assert isinstance(film.sound, Sound)

    def broken(self: object, packet: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(sound.Copy, "_mux", broken)
    with pytest.warns(UserWarning, match=r"clip.mp4: its sound breaks off, and is copied up to there"):
        assert write_mp4(steps(4), tmp_path / "a.mp4", 10, film.sound) == 4
    assert len(open_frames(tmp_path / "a.mp4")) == 4
