"""Films as a person sees them: which way is up, how bright white is, what shines through."""

import contextlib

import numpy as np
import pytest
from helpers.pictures import CORNERS, corners
from helpers.reels import encode, steps
from PIL import Image

from planaria.data import viewing
from planaria.data.frames import open_frames
from planaria.errors import UserError

av = pytest.importorskip("av")
TURNED = {  # a picture's right and down -> what a camera that lies so stores of it
    (1, 0, 0, 1): lambda a: a,
    (-1, 0, 0, 1): lambda a: a[:, ::-1],
    (1, 0, 0, -1): lambda a: a[::-1],
    (-1, 0, 0, -1): lambda a: a[::-1, ::-1],
    (0, 1, 1, 0): lambda a: a.swapaxes(0, 1),
    (0, 1, -1, 0): lambda a: np.rot90(a),
    (0, -1, 1, 0): lambda a: np.rot90(a, -1),
    (0, -1, -1, 0): lambda a: np.rot90(a.swapaxes(0, 1), 2),
}


@pytest.mark.parametrize("matrix", TURNED)
def test_any_quarter_turn_and_mirror_stands_upright(tmp_path, matrix):
    upright = np.array(corners(64).resize((128, 64), Image.Resampling.NEAREST))
    stored = np.ascontiguousarray(TURNED[matrix](upright))
    with av.open(str(tmp_path / "a.mp4"), "w") as box:
        stream = box.add_stream("libx264", rate=10)
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = stored.shape[:2]
        a, b, c, d = (65536 * n for n in matrix)
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        box.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        box.mux(stream.encode())
    f = open_frames(tmp_path / "a.mp4")
    assert f.size == (64, 128)
    seen = (f[0][:, 16::32, 32::64] * 255).permute(1, 2, 0).numpy()
    assert seen == pytest.approx(CORNERS, abs=12)


def film(path, image: np.ndarray, form: str, *, trc: int = 1, primaries: int = 1, matrix: int = 1, full: bool = False):
    """A film of one exact frame, tagged with what its numbers mean."""
    with av.open(str(path), "w") as box:
        stream = box.add_stream("ffv1", rate=10)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = form
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = trc, primaries, matrix
        context.color_range = 2 if full else 1
        told = av.VideoFrame.from_ndarray(image, format="rgb48le" if image.dtype == np.uint16 else "rgb24")
        frame = told.reformat(format=form, dst_colorspace=matrix, dst_color_range=2 if full else 1)
        frame.color_trc, frame.color_primaries = trc, primaries
        box.mux(stream.encode(frame))
        box.mux(stream.encode())
    return open_frames(path, colour="rgb")[0] * 255


def pq(nits: float) -> float:
    y = (nits / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def srgb(linear: float) -> float:
    return 255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("nits", [0, 2, 20, 60, 120, 203, 1000])
def test_white_of_hdr_is_white(tmp_path, nits):
    level = np.full((32, 32, 3), round(65535 * (pq(nits) if nits else 0)), np.uint16)
    seen = film(tmp_path / "a.mkv", level, "yuv444p10le", trc=16, primaries=9, matrix=9)
    assert seen[:, 9, 9].tolist() == pytest.approx([srgb(min(1, nits / 203))] * 3, abs=4)


def test_white_of_hlg_is_white(tmp_path):
    level = np.full((32, 32, 3), round(65535 * 0.75), np.uint16)  # where the standard has its white
    seen = film(tmp_path / "a.mkv", level, "yuv444p10le", trc=18, primaries=9, matrix=9)
    assert seen[:, 9, 9].min() > 245


def test_wide_colours_become_those_of_srgb(tmp_path):
    p3 = np.full((32, 32, 3), (200, 60, 40), np.uint8)
    plain = film(tmp_path / "a.mkv", p3, "yuv444p")
    wide = film(tmp_path / "b.mkv", p3, "yuv444p", primaries=12)
    assert plain[:, 9, 9].tolist() == pytest.approx([200, 60, 40], abs=3)
    assert wide[0, 9, 9] > plain[0, 9, 9] + 6  # the same numbers are a stronger red there
    grey = film(tmp_path / "c.mkv", np.full((32, 32, 3), 120, np.uint8), "yuv444p", primaries=12)
    assert grey[:, 9, 9].tolist() == pytest.approx([120] * 3, abs=3)


def test_hdr_that_cannot_be_converted_is_told(tmp_path, monkeypatch):
    def unable(*_) -> None:
        raise ValueError("no such option")

    monkeypatch.setattr(viewing, "_conversion", unable)
    white = np.full((32, 32, 3), round(65535 * pq(203)), np.uint16)
    with pytest.warns(UserWarning, match=r"a.mkv: its high dynamic range \(HDR\) can't be converted here"):
        film(tmp_path / "a.mkv", white, "yuv444p10le", trc=16, primaries=9, matrix=9)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5])
def test_range_and_matrix_are_those_of_the_film(tmp_path, full, matrix):
    for colour in ((255, 255, 255), (0, 0, 0), (220, 30, 30), (30, 220, 30), (30, 30, 220)):
        seen = film(tmp_path / "a.mkv", np.full((32, 32, 3), colour, np.uint8), "yuv444p", matrix=matrix, full=full)
        assert seen[:, 9, 9].tolist() == pytest.approx(colour, abs=4)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparency_of_a_webm_lies_on_the_background(tmp_path, codec):
    clear = np.full((64, 64, 4), 255, np.uint8)
    clear[:, :, 3] = np.where(np.arange(64) < 32, 0, 255)
    with av.open(str(tmp_path / "a.webm"), "w") as box:
        stream = box.add_stream(codec, rate=10, options={"auto-alt-ref": "0"})
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        for _ in range(3):
            box.mux(stream.encode(av.VideoFrame.from_ndarray(clear, format="rgba").reformat(format="yuva420p")))
        box.mux(stream.encode())
    for background, left in ((0.0, 0), (1.0, 255)):
        f = open_frames(tmp_path / "a.webm", background=background)
        assert len(f) == 3
        for frame in f:
            assert (frame[:, 32, 8] * 255).tolist() == pytest.approx([left] * frame.shape[0], abs=8)
            assert (frame[:, 32, 56] * 255).tolist() == pytest.approx([255] * frame.shape[0], abs=8)


def test_square_pixels_that_are_too_many_are_refused(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mkv", steps(2), aspect=8)
    monkeypatch.setattr(viewing, "MOST_PIXELS", 64 * 48 * 2)
    with pytest.raises(UserError, match="frames of 512x48 square pixels are too large"):
        open_frames(path)


def unreadable(path, tag: bytes = b"zzzz") -> str:
    """A film whose codec nobody has heard of."""
    encode(path, steps(3))
    data = path.read_bytes()
    assert data.count(b"avc1") >= 1
    at = data.rindex(b"avc1")
    path.write_bytes(data[:at] + tag + data[at + 4 :])
    return str(path)


def test_a_codec_without_decoder_is_told(tmp_path):
    with pytest.raises(UserError, match=r"a.mp4 can't be read: FFmpeg has no decoder for its pictures"):
        open_frames(unreadable(tmp_path / "a.mp4"))


def test_sound_with_a_cover_is_no_film(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as box:
        sound = box.add_stream("aac", rate=44100)
        cover = box.add_stream("png", rate=1)
        cover.height = cover.width = 16
        cover.pix_fmt, cover.disposition = "rgb24", av.stream.Disposition.attached_pic
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        silence.rate = 44100
        box.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        box.mux(cover.encode())
        box.mux(sound.encode(silence))
        box.mux(sound.encode())
    with pytest.raises(UserError, match="holds no video, only sound and a picture of its cover"):
        open_frames(path)


def test_broken_times_are_no_reason_for_a_traceback(tmp_path):
    path, seen = tmp_path / "a.mp4", set()
    encode(path, steps(6))
    data = path.read_bytes()
    for name, width in ((b"stts", 24), (b"mdhd", 32), (b"mvhd", 40), (b"tkhd", 60), (b"stsz", 24), (b"elst", 24)):
        at = data.find(name)
        for fill in (0, 255):
            if at < 0:
                continue
            path.write_bytes(data[: at + 8] + bytes([fill]) * (width - 8) + data[at + width :])
            with contextlib.suppress(UserError):
                f = open_frames(path)
                seen.add(f.fps > 0 and (f.expected or 0) >= 0)
    assert seen == {True}
