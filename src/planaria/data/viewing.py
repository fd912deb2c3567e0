"""Frames of a film, normalised for display: upright, with square pixels, in sRGB, with their transparency."""

import contextlib
import warnings
from typing import TYPE_CHECKING, Any, final

import numpy as np
from PIL import Image

from planaria.data.raster import MOST_PIXELS
from planaria.errors import UserError

if TYPE_CHECKING:
    from av import VideoFrame

_SHOWN = ":out_transfer=iec61966-2-1"
_HDR = (16, 18)
"""Numbers of the transfer functions PQ and HLG in H.273."""
_WIDE = (9, 11, 12)
"""Numbers of the colour primaries BT.2020 and both P3 in H.273."""
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that read the transparency stream that a WebM may hold; FFmpeg's own ignore it."""


def decoder_of(stream: Any, name: str) -> Any:
    """Decoder of a film's packets, of at most `MOST_PIXELS` pixels. Raises `UserError` where there is none."""
    context = stream.codec_context
    if context is None:
        raise UserError(f"{name} can't be read: FFmpeg has no decoder for its pictures; convert it to H.264 (.mp4)")
    if context.width * context.height > MOST_PIXELS:
        raise UserError(f"{name}: frames of {context.width}x{context.height} pixels are too large")
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if tags.get("alpha_mode") == "1" and context.name in _WITH_ALPHA:
        import av

        try:
            wider = av.CodecContext.create(_WITH_ALPHA[context.name], "r")
            wider.extradata, context = context.extradata, wider
        except ValueError:  # of this name there is none
            warnings.warn(f"{name}: its transparency can't be read here, and is left out", UserWarning, stacklevel=3)
    context.options = {"max_pixels": str(MOST_PIXELS)}
    context.thread_type = "AUTO"
    return context


@final
class Viewer:
    """Converter of decoded frames to arrays `(h, w, 3|4)` uint8: RGB, or RGBA with straight alpha."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name
        self._graph: tuple[tuple[object, ...], Any] | None = None
        self._told = False

    def __call__(self, frame: "VideoFrame") -> np.ndarray:
        """Convert a frame to a picture. Raises `UserError` where square pixels make it too large."""
        clear = any(part.is_alpha for part in frame.format.components)
        kind, matrix = "rgba" if clear else "rgb24", _matrix(frame)
        image = self._in_srgb(frame, kind).to_ndarray(format=kind)
        wide = self._stream.sample_aspect_ratio
        if wide and wide != 1 and 0.1 <= wide <= 10:
            size = max(1, round(frame.width * wide)), frame.height
            if size[0] * size[1] > MOST_PIXELS:
                raise UserError(f"{self._name}: frames of {size[0]}x{size[1]} square pixels are too large")
            image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        return np.ascontiguousarray(_turned(image, *matrix))

    def _in_srgb(self, frame: "VideoFrame", kind: str) -> "VideoFrame":
        """Convert a frame of higher range or wider gamut than sRGB by FFmpeg's own conversion; others are unchanged."""
        light, wide = int(frame.color_trc) in _HDR, int(frame.color_primaries) in _WIDE
        if not light and not wide:
            return frame
        form = (frame.width, frame.height, frame.format.name, light)
        try:
            if self._graph is None or self._graph[0] != form:
                self._graph = form, _conversion(self._stream, frame, kind, light)
            graph = self._graph[1]
            graph.vpush(frame)
            return graph.vpull()
        except Exception:  # a build of FFmpeg that knows no such conversion
            if not self._told:
                what = "high dynamic range (HDR)" if light else "wide colours"
                line = f"{self._name}: its {what} can't be converted here, and looks too dark or pale"
                warnings.warn(line, UserWarning, stacklevel=3)
                self._told = True
            return frame


def _conversion(stream: Any, frame: "VideoFrame", kind: str, light: bool) -> Any:
    """FFmpeg graph that converts frames like this one to 8 bits with the colours of sRGB."""
    from av.filter import Graph

    graph = Graph()
    parts = [
        graph.add_buffer(template=stream, width=frame.width, height=frame.height, format=frame.format),
        graph.add("scale", "out_primaries=bt709" + (_SHOWN if light else "")),
        graph.add("format", kind),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*parts).configure()
    return graph


def _matrix(frame: "VideoFrame") -> tuple[int, int, int, int]:
    """Display matrix of a frame: the directions of its right and its down, as (right x, right y, down x, down y)."""
    side: Any = frame.side_data
    with contextlib.suppress(KeyError):
        matrix = np.frombuffer(bytes(side["DISPLAYMATRIX"]), np.int32)
        if len(matrix) == 9:
            return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])
    return 1, 0, 0, 1


def _turned(image: np.ndarray, right_x: int, right_y: int, down_x: int, down_y: int) -> np.ndarray:
    """Turn and mirror a picture by the quarter turns that are nearest to a matrix."""
    if abs(right_x) + abs(down_y) < abs(right_y) + abs(down_x):
        image, right_x, down_y = image.swapaxes(0, 1), down_x, right_y
    image = image[:, ::-1] if right_x < 0 else image
    return image[::-1] if down_y < 0 else image
