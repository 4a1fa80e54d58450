"""Footage in: a video or a folder of pictures becomes a few good frames, evenly spread around the subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vid2three.choose import Choice, choose, glimpse
from vid2three.sources import Source, Video, open_source, printable

FEWEST = 8  # frames that reconstruction can start from
MANY = 0.2  # share of a clip's frames that is worth a note
WHOLE = 0.9  # share of a video's packets that gives frames where nothing is broken


@dataclass(frozen=True, eq=False)
class Footage:
    """F chosen frames of H x W pixels."""

    frames: np.ndarray
    """uint8 [F,H,W,3], sRGB, upright; straight colour where there are alphas."""
    alphas: np.ndarray | None
    """uint8 [F,H,W], 255 where the subject covers a pixel; None where the source has no transparency."""
    times: tuple[float, ...]
    """Seconds from the start; of pictures, their numbers."""
    indices: tuple[int, ...]
    """Numbers of the frames in the source."""
    fps: float
    """Of the source; 0 of pictures."""
    closed: bool | None
    """The first view comes again at the end; None where that cannot be told. The repeated view is left out."""
    facts: dict[str, Any]
    """What was found, JSON-able: size, counts of frames looked at and left out, motion."""
    notes: tuple[str, ...]
    """Sentences for the user."""


def read_footage(
    path: Path, num_frames: int, max_size: int, progress: Callable[[int, int], None] = lambda step, total: None
) -> Footage:
    """Choose up to `num_frames` frames of a video or a folder of pictures, the longer side at most `max_size` pixels.

    A video is decoded twice at most, and a long one in part; in memory are thumbnails and the chosen frames. Raises
    FileNotFoundError or ValueError, in one sentence with the cure, for what is no footage of a subject from several
    sides: unreadable, without pictures, one picture, nothing that moves, too few frames.
    """
    source = open_source(path, max_size)
    numbers, times, thumbnails, sharpness = [], [], [], []
    for number, time, grey in source.looks():
        thumbnail, sharp = glimpse(grey)
        numbers.append(number)
        times.append(time)
        thumbnails.append(thumbnail)
        sharpness.append(sharp)
        progress(min(len(numbers), source.num_looks), source.num_looks)
    _check_some(len(numbers), path)
    choice = choose(thumbnails, np.array(sharpness), np.array(numbers), num_frames)
    _check_motion(choice, len(numbers), path)
    indices = [numbers[k] for k in choice.kept]
    pixels = list(source.pictures(indices))
    alphas = _alphas(pixels)
    return Footage(
        frames=np.stack([picture[..., :3] for picture in pixels]),
        alphas=alphas,
        times=tuple(_time(times[k], numbers[k], source.fps) for k in choice.kept),
        indices=tuple(indices),
        fps=source.fps,
        closed=choice.closed,
        facts=_facts(source, choice, len(numbers), alphas is not None),
        notes=tuple(_notes(source, choice, len(numbers))),
    )


def _check_some(count: int, path: Path) -> None:
    if count < 2:
        found = "one picture" if count else "no picture that can be decoded"
        raise ValueError(
            f"{printable(path)} holds {found}; a subject must be seen from several sides: film around it, or give at "
            f"least {FEWEST} pictures."
        )


def _check_motion(choice: Choice, count: int, path: Path) -> None:
    if choice.num_distinct == 1:
        raise ValueError(
            f"Nothing moves in {printable(path)}: its {count} pictures are alike; film around the subject, or turn it."
        )
    if len(choice.kept) < FEWEST:
        raise ValueError(
            f"{printable(path)} shows {len(choice.kept)} views that differ, of {count} pictures; at least {FEWEST} are "
            "needed: film around the subject, longer or farther."
        )


def _alphas(pixels: list[np.ndarray]) -> np.ndarray | None:
    """Return the alphas [F,H,W], solid where a picture has none; None where all is solid."""
    if all(picture.shape[2] == 3 for picture in pixels):
        return None
    solid = np.full(pixels[0].shape[:2], 255, np.uint8)
    alphas = np.stack([picture[..., 3] if picture.shape[2] == 4 else solid for picture in pixels])
    return None if (alphas == 255).all() else alphas


def _time(time: float | None, number: int, fps: float) -> float:
    return round(float(time), 4) if time is not None else round(number / fps, 4) if fps > 0 else float(number)


def _facts(source: Source, choice: Choice, count: int, has_alpha: bool) -> dict[str, Any]:
    facts = {
        "kind": "video" if isinstance(source, Video) else "pictures",
        "num_source_frames": source.total,
        "num_looked_at": count,
        "num_distinct": choice.num_distinct,
        "num_duplicates": choice.num_duplicates,
        "num_blurred": choice.num_blurred,
        "num_chosen": len(choice.kept),
        "height": source.height,
        "width": source.width,
        "has_alpha": has_alpha,
        "motion_px": round(choice.motion, 3),
    }
    return {**facts, "codec": source.index.codec} if isinstance(source, Video) else facts


def _notes(source: Source, choice: Choice, count: int) -> list[str]:
    notes = []
    if isinstance(source, Video):
        planned = sum(beyond - start for start, beyond in source.runs)
        if source.index.is_cut_short or (count < WHOLE * source.num_looks and planned == source.total):
            notes.append(f"The video breaks off or is damaged: {count} of about {source.num_looks} frames were read.")
        elif planned < source.total:
            notes.append(f"The video is long: {count} of its {source.total:,} frames were looked at.")
    if choice.num_blurred > MANY * count:
        notes.append(f"{choice.num_blurred} of {count} frames are blurred; move the camera more slowly, in more light.")
    if choice.first_again is not None and count - choice.first_again > 2:
        notes.append("The clip passes its first view again before its end; what follows was left out.")
    return notes
