"""Films in files, through PyAV (extra `video`): read frame by frame, written frame by frame."""

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, final

import numpy as np

from planaria import files
from planaria.data.sound import Copy, Sound
from planaria.data.sources import FPS, LOOKS, Source, tint
from planaria.data.viewing import Viewer, decoder_of
from planaria.errors import UserError, missing_extra
from planaria.files import HEAD, instead

FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
SHORT = 500
"""Most frames of a film that is examined as a whole; in a longer one, several places are sought."""
_ENDLESS = (0, 0xFFFF_FFFF)
_BT709 = 1


@final
class Film(Source):
    """Film file. It is decoded in order, one frame at a time: the frames of a film are known only after reading it.

    Frames stand upright, with square pixels, in 8 bits; each decoded frame counts once, whatever its duration.
    """

    tint = (3, 24)  # a codec leaves some colour in grey

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        with self._open() as (box, stream, _):
            rate = stream.average_rate or stream.guessed_rate
            self.fps = float(rate) if rate and 0.01 <= rate <= 1000 else FPS
            timed = stream.duration and stream.time_base
            lasts = float(stream.duration * stream.time_base) if timed else (box.duration or 0) / 1e6
            self.expected = max(0, stream.frames or round(lasts * self.fps)) or None
            if (sound := box.streams.best("audio")) is not None:
                codec = sound.codec_context.name if sound.codec_context else ""
                self.sound = Sound(path, box.format.name.partition(",")[0], codec)

    def frames(self, start: int = 0, every: int = 1) -> Iterator[np.ndarray]:
        """Yield pictures from frame `start` on, each `every`-th."""
        k = 0
        with self._open() as (box, stream, decoder):
            view = Viewer(stream, self.name)
            try:
                for packet in box.demux(stream):
                    if packet.is_corrupt:
                        raise UserError(f"{self.name} is broken or cut short after frame {k}")
                    for frame in decoder.decode(packet):
                        if k >= start and (k - start) % every == 0:
                            yield view(frame)
                        k += 1
            except UserError:
                raise
            except Exception as error:  # a decoder at work on a file that cannot be trusted may raise anything
                raise UserError(f"{self.name} is broken or cut short after frame {k}") from error
        if not k:
            raise UserError(f"{self.name} holds no frames")
        if self.expected and k < 0.9 * self.expected - 2:  # no error: some files only guess, and some are trimmed
            line = f"{self.name}: {k} frames could be read, of {self.expected} that it speaks of; is it broken?"
            warnings.warn(line, UserWarning, stacklevel=2)

    def grey(self) -> bool:
        """True if it looks grey: all of a short film, several places of a long one."""
        return all(tint(image) <= self.tint[0] for image in self._looks())

    def _looks(self) -> Iterator[np.ndarray]:
        if self.expected and self.expected <= SHORT:
            with contextlib.suppress(UserError):  # what can't be had here is met again, and reported, in reading
                yield from self.frames()
            return
        with self._open() as (box, stream, decoder):
            view = Viewer(stream, self.name)
            for k in range(LOOKS if box.duration else 1):
                with contextlib.suppress(Exception):  # what is broken there is reported by reading it
                    if k:
                        box.seek(k * box.duration // LOOKS)
                        decoder.flush_buffers()
                    frame = next((frame for packet in box.demux(stream) for frame in decoder.decode(packet)), None)
                    if frame is not None:
                        yield view(frame)

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[Any, Any, Any]]:
        """Container, stream and decoder of a file, which is opened here so that its name can mean nothing else."""
        try:
            import av
            from av.stream import Disposition
        except ImportError:
            raise missing_extra(f"reading {self._path.suffix}", "video") from None
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(self._path.open("rb"))
                kind = _container(file, self.name)
            except OSError as error:
                raise UserError(f"can't read {self.name}: {error.strerror or error}") from error
            try:
                box = stack.enter_context(av.open(file, format=kind, metadata_errors="replace"))
                stream = box.streams.best("video")
            except Exception as error:  # a reader at work on a file that cannot be trusted may raise anything
                raise UserError(f"{self.name} is broken or cut short") from error
            if stream is None:
                raise UserError(f"{self.name} holds no pictures")
            if stream.disposition & Disposition.attached_pic:
                raise UserError(f"{self.name} holds no video, only sound and a picture of its cover")
            yield box, stream, decoder_of(stream, self.name)


def write_mp4(frames: Iterable[np.ndarray], path: Path, fps: float, sound: Sound | None = None) -> int:
    """Write pictures `(h, w, 3)` uint8 as a film, one at a time, and return their number.

    `sound` is copied for as long as there are pictures. The file gets its name when it is whole. Sides of an odd
    length get one more row or column, as the codec wants. Raises `UserError` where PyAV (extra `video`) is missing, the
    disk is full, or there are no frames.
    """
    try:
        import av
    except ImportError:
        raise missing_extra("writing .mp4", "video") from None
    spare, count = files.spare(path), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as closing:
            file = closing.enter_context(spare.open("wb"))
            box: Any = closing.enter_context(av.open(file, "w", format="mp4"))
            rate = Fraction(fps).limit_denominator(1001)
            stream = box.add_stream("libx264", rate=rate, options={"crf": "16", "preset": "medium"})
            context: Any = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            copy = closing.enter_context(Copy(sound, box)) if sound is not None else None
            for image in frames:
                h, w, _ = image.shape
                even = np.pad(image, ((0, h % 2), (0, w % 2), (0, 0)), "edge")
                if not count:
                    stream.height, stream.width, stream.pix_fmt = even.shape[0], even.shape[1], "yuv420p"
                shown = av.VideoFrame.from_ndarray(even, format="rgb24")
                box.mux(stream.encode(shown.reformat(format="yuv420p", dst_colorspace="ITU709")))
                count += 1
                if copy is not None:
                    copy.until(float(count / rate))
            if not count:
                raise UserError(f"no frames for {path}")
            box.mux(stream.encode())
        spare.replace(path)
    except OSError as error:
        raise UserError(f"can't write {path}: {error.strerror or error}; what was there is untouched") from error
    finally:
        with contextlib.suppress(OSError):
            spare.unlink(missing_ok=True)
    return count


def _container(file: IO[bytes], name: str) -> str:
    """Format of a film file by its first bytes, as FFmpeg's name; the file must be as long as it states."""
    head, size = file.read(HEAD), file.seek(0, 2)
    file.seek(0)
    if not size:
        raise UserError(f"{name} is empty")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        kind, says = "matroska", _matroska_bytes(head)
    elif head.startswith(b"RIFF") and head[8:11] == b"AVI":
        declared = int.from_bytes(head[4:8], "little")
        kind, says = "avi", 0 if declared in _ENDLESS else declared + 8
    elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        kind, says = "mov", _mov_bytes(file, size)
    else:
        raise UserError(instead(name, head, f"video known here: {', '.join(FILMS)}"))
    if says > size:
        raise UserError(f"{name} is cut short: {size:,} of {says:,} bytes are there")
    return kind


def _matroska_bytes(head: bytes) -> int:
    """Number of bytes that a Matroska or WebM file states, its head and then one segment; 0 where it states none."""
    width, length = _vint(head, 4)
    at = 4 + width + length
    if not width or head[at : at + 4] != b"\x18\x53\x80\x67":
        return 0
    width, length = _vint(head, at + 4)
    endless = length in (0, (1 << 7 * width) - 1)
    return 0 if endless else at + 4 + width + length


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """Length in bytes and value of a number in Matroska's format; (0, 0) where there is none."""
    if at >= len(data) or not data[at]:
        return 0, 0
    width = 9 - data[at].bit_length()
    return width, int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)


def _mov_bytes(file: IO[bytes], size: int) -> int:
    """Number of bytes up to the end of the boxes of an MP4 or MOV file."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: to the end of the file
            break
        at += length
    file.seek(0)
    return at
