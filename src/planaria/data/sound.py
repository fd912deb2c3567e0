"""Sound of a film: copied unchanged beside new pictures, or reported as left out."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

FITS_MP4 = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"}
"""Codecs that an .mp4 can hold and players can read there."""
EARLY = 0.1
"""Most seconds by which sound may begin before its film: the start-up time of a codec."""


@final
@dataclass(frozen=True)
class Sound:
    """Sound of a film file, from a given time on."""

    path: Path
    kind: str
    """Format of the file, by FFmpeg's name."""
    codec: str
    start: float = 0.0
    """Seconds of the film before the sound to copy."""


def left_out(sound: Sound | None, output: Path, *, paced: bool = True) -> str:
    """Reason in one line that a film's sound can't be copied to `output`; "" where it can, or there is none.

    `paced` is true if the new film is as fast as its source.
    """
    if sound is None:
        return ""
    if (suffix := output.suffix.lower()) != ".mp4":
        holds = f"a {suffix}" if suffix else "a folder of pictures"
        return f"its sound is left out: {holds} holds none, an .mp4 does"
    if not paced:
        return "its sound is left out: at another pace (--fps) it would not fit"
    return "" if sound.codec in FITS_MP4 else f"its sound ({sound.codec or 'unknown'}) is left out: no .mp4 holds it"


@final
class Copy:
    """Copier of the packets of a film's sound into a container that is being written. Closed like a file.

    Sound that breaks off is reported, and does not stop the film.
    """

    def __init__(self, sound: Sound, box: Any) -> None:
        import av

        self._name = str(sound.path)
        self._closing = ExitStack()
        try:
            file = self._closing.enter_context(sound.path.open("rb"))
            source: Any = self._closing.enter_context(av.open(file, format=sound.kind, metadata_errors="replace"))
            stream = source.streams.best("audio")
            self._stream = box.add_stream_from_template(stream)
            self._packets: Iterator[Any] = source.demux(stream)
        except BaseException:
            self._closing.close()
            raise
        self._begin = (source.start_time or 0) / 1e6 + sound.start
        self._early = 0.0 if sound.start else EARLY
        self._box, self._next = box, next(self._packets, None)

    def __enter__(self) -> "Copy":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def until(self, seconds: float) -> None:
        """Copy the sound up to so many seconds of the new film."""
        try:
            while self._next is not None:
                packet = self._next
                if packet.pts is not None and packet.dts is not None:
                    at = float(packet.pts * packet.time_base) - self._begin
                    if at >= seconds:
                        return
                    if at >= -self._early:
                        self._mux(packet)
                self._next = next(self._packets, None)
        except Exception:  # a reader at work on a file that cannot be trusted may raise anything
            self._next = None
            warnings.warn(f"{self._name}: its sound breaks off, and is copied up to there", UserWarning, stacklevel=3)

    def _mux(self, packet: Any) -> None:
        shift = round(self._begin / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, self._stream
        self._box.mux(packet)
