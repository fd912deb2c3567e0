"""`planaria frames`: film to folder and back, again after an interrupt, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from helpers.reels import encode, gif, steps
from PIL import Image

from planaria import files
from planaria.cli import main
from planaria.data.frames import open_frames, whole_frames
from planaria.data.sources import NOTE


@pytest.fixture
def clip(tmp_path) -> str:
    """Twelve frames of a GIF, 20 a second, of colours that walk by."""
    path = tmp_path / "clip.gif"
    path.write_bytes(gif((8, 6), [{"colour": 1 + k % 3, "delay": 5} for k in range(12)]))
    return str(path)


def said(capsys, *words: object) -> str:
    """What a command says when it succeeds."""
    capsys.readouterr()
    assert main(["frames", *map(str, words)]) == 0
    return capsys.readouterr().out.strip()


def refused(capsys, *words: object) -> str:
    """The one line of a command that refuses."""
    capsys.readouterr()
    assert main(["frames", *map(str, words)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def test_to_a_folder(tmp_path, clip, capsys):
    out = tmp_path / "out"
    words = [clip, out, "--every", "2", "--size", "4", "--crop", "square", "--start", "1", "--count", "4"]
    assert said(capsys, *words) == f"{out}: 4 frames, 4x4, RGB"
    assert sorted(p.name for p in out.iterdir()) == [NOTE, *(f"00000{k}.png" for k in range(4))]
    f = open_frames(out)
    assert f.fps == 10  # the folder remembers
    want = open_frames(clip, every=2, size=4, crop="square", start=1, count=4)
    assert torch.equal(f.stack(0, 4), want.stack(0, 4))
    before = {p: p.stat().st_mtime_ns for p in out.glob("*.png")}
    assert said(capsys, *words) == f"{out}: 4 frames, finished before"
    assert {p: p.stat().st_mtime_ns for p in out.glob("*.png")} == before
    note = json.loads((out / NOTE).read_text())
    assert (note["frames"], note["source"], note["every"]) == (4, "clip.gif", 2)
    assert str(tmp_path) not in (out / NOTE).read_text()


def test_other_settings_are_refused(tmp_path, clip, capsys):
    out = tmp_path / "out"
    said(capsys, clip, out)
    assert "holds frames made with every=1, not 2" in refused(capsys, clip, out, "--every", "2")
    assert "holds frames made with colour=auto, not grey" in refused(capsys, clip, out, "--colour", "grey")
    (tmp_path / "other.gif").write_bytes(gif((8, 6), [{"colour": 1}, {"colour": 2}]))
    assert "made with source=clip.gif, not other.gif" in refused(capsys, tmp_path / "other.gif", out)
    (tmp_path / "clip.gif").write_bytes((tmp_path / "other.gif").read_bytes())
    assert "made with bytes=" in refused(capsys, clip, out)
    assert whole_frames(out) == 12


def test_it_goes_on_where_it_was(tmp_path, clip, capsys):
    out = tmp_path / "out"
    said(capsys, clip, out)
    frames = open_frames(out).stack(0, 12)
    (out / "000007.png").write_bytes((out / "000007.png").read_bytes()[:-5])
    left = out / files.spare(out / "000008.png").name.replace(f"-{os.getpid()}-", "-999999999-")
    left.write_bytes(b"half")
    kept = (out / "000006.png").stat().st_mtime_ns
    assert said(capsys, clip, out).splitlines() == [f"{out}: going on after 7 frames", f"{out}: 12 frames, 8x6, RGB"]
    assert (out / "000006.png").stat().st_mtime_ns == kept
    assert torch.equal(open_frames(out).stack(0, 12), frames)
    assert not left.exists(), "what a killed process has left is removed"


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle(tmp_path, capsys, number):
    pytest.importorskip("av")
    source, out = encode(tmp_path / "clip.mkv", steps(150), "ffv1", "bgr0"), tmp_path / "out"
    words = [source, str(out), "--size", "320"]
    child = subprocess.Popen(
        [sys.executable, "-m", "planaria", "frames", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while child.poll() is None and not (out / "000005.png").exists():
        time.sleep(0.01)
    child.send_signal(number)
    told, errors = child.communicate(timeout=60)
    there = whole_frames(out)
    assert 6 <= there < 149
    if number == signal.SIGINT:
        assert child.returncode == 130
        assert told.splitlines()[-1] == f"stopped after {there} frames; the same command goes on from there"
        assert errors == ""
    first = (out / "000003.png").stat().st_mtime_ns
    assert said(capsys, *words).splitlines()[0] == f"{out}: going on after {there} frames"
    assert (out / "000003.png").stat().st_mtime_ns == first
    f, want = open_frames(out), open_frames(source, size=320)
    assert len(f) == 150
    for k in (0, there - 1, there, there + 1, 149):
        assert torch.equal(f[k], want[k])


def test_back_to_a_film(tmp_path, clip, capsys):
    out = tmp_path / "out"
    said(capsys, clip, out)
    frames = open_frames(clip).stack(0, 12)
    for suffix in ("gif", "webp"):
        back = tmp_path / f"back.{suffix}"
        assert said(capsys, out, back) == f"{back}: 12 frames, 20 a second"
        assert torch.equal(open_frames(back).stack(0, 12), frames)
        assert open_frames(back).fps == 20
    pytest.importorskip("av")
    assert said(capsys, out, tmp_path / "a.mp4", "--fps", "12.5").endswith("12 frames, 12.5 a second")
    f = open_frames(tmp_path / "a.mp4")
    assert (len(f), f.fps) == (12, 12.5)
    torch.testing.assert_close(f.stack(0, 12), frames, atol=0.03, rtol=0)
    said(capsys, tmp_path / "a.mp4", tmp_path / "b.gif", "--every", "2")
    assert len(open_frames(tmp_path / "b.gif")) == 6


def test_grey_and_16_bits_are_kept(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    levels = np.random.default_rng(0).integers(0, 65536, (3, 4, 5), np.uint16)
    for k, level in enumerate(levels):
        Image.fromarray(level).save(tmp_path / "in" / f"{k}.png")
    assert said(capsys, tmp_path / "in", tmp_path / "out").endswith("3 frames, 5x4, grey")
    assert torch.equal(open_frames(tmp_path / "out").stack(0, 3), open_frames(tmp_path / "in").stack(0, 3))
    said(capsys, tmp_path / "in", tmp_path / "a.webp")
    assert open_frames(tmp_path / "a.webp").visible == 1


def test_a_simulator(tmp_path, capsys):
    out = tmp_path / "life"
    assert said(capsys, "sim:life,size=16", out, "--count", "3") == f"{out}: 3 frames, 16x16, grey"
    assert torch.equal(open_frames(out).stack(0, 3), open_frames("sim:life,size=16", count=3).stack(0, 3))
    assert "source=sim:life,size=16, not sim:life" in refused(capsys, "sim:life", out, "--count", "3")
    coral = tmp_path / "coral"  # a preset of two simulators
    said(capsys, "sim:life/coral", coral, "--count", "2")
    assert "source=sim:life/coral" in refused(capsys, "sim:gray-scott/coral", coral, "--count", "2")


def test_mistakes(tmp_path, clip, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    before = sorted(tmp_path.iterdir())
    assert "unknown format '.avi'" in refused(capsys, clip, "a.avi")
    assert "unknown format '.png'" in refused(capsys, clip, "a.png")
    assert "Did you mean 'clip.gif'" in refused(capsys, "clop.gif", out)
    assert "crop" in refused(capsys, clip, out, "--crop", "1,2")
    assert "--fps 0" in refused(capsys, clip, out, "--fps", "0")
    assert "none of its 12 frames are left after start=12" in refused(capsys, clip, out, "--start", "12")
    assert "no frames ''" in refused(capsys, "", out)
    assert "File name too long" in refused(capsys, "a" * 300, out)
    assert "File name too long" in refused(capsys, clip, "a" * 300)
    assert "is the source itself" in refused(capsys, clip, clip)
    assert "colour" in refused(capsys, clip, out, "--colour", "blue")
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "file").write_text("a")
    assert "is a file" in refused(capsys, clip, "file")
    out.mkdir()
    assert "is a folder" in refused(capsys, clip, _named(out, "a.gif"))
    Image.new("RGB", (3, 3)).save(out / "holiday.jpg")
    assert "holds other pictures" in refused(capsys, clip, out)
    (out / "holiday.jpg").unlink()
    for note in ("[]", "{", "{}", "\xff"):
        (out / NOTE).write_text(note, encoding="latin-1")
        assert "can't be read" in refused(capsys, clip, out)


def _named(folder, name):
    (folder.parent / name).mkdir()
    return folder.parent / name


def test_what_memory_should_not_hold_is_no_gif(tmp_path, clip, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules["planaria.cli.frames"], "MOST_BYTES", 500)
    assert "too much for a .gif" in refused(capsys, clip, tmp_path / "a.gif")
    assert not (tmp_path / "a.gif").exists()
