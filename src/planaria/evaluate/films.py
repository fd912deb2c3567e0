"""Films: the part of a model's films that it is measured on."""

import dataclasses

from planaria.data.clips import Clips
from planaria.errors import UserError
from planaria.evaluate.curve import Frames

MOST_BYTES = 1_000_000_000
"""Largest memory for the frames of an evaluation."""
HELD_OUT = 0.1
"""Default share of the frames that the predictions are compared with, where training held none out."""


def held_out(clips: Clips, context: int) -> tuple[Frames, int]:
    """The film that a model is measured on, and its first held-out frame: of several, the first that is held out.

    At least two frames, or `context`, lead up to the held-out part. Raises `UserError` for a film too long to hold.
    """
    held = clips.held or dataclasses.replace(clips, held_out=HELD_OUT).held
    number, first = held[0]
    clip, (h, w) = clips.clips[number], clips.size
    most = MOST_BYTES // (4 * clips.visible * h * w)
    if len(clip) > most:
        raise UserError(
            f"{len(clip)} frames of {w}x{h} are too much to measure at once; take {most} of them with count, or fewer "
            "cells with size"
        )
    return clip.stack(0, len(clip)), max(first, context, 2)
