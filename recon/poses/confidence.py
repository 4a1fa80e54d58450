"""How far to believe estimated cameras, and why not.

Each figure that can betray wrong cameras gives a share of belief, 1 where it is as it should be, falling on a ramp;
the confidence is their product. Neither the number of registered frames nor a small residual proves anything:
wrong orbits have reached both.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

WARN = 0.8  # belief below which a figure is a reason


@dataclass(frozen=True)
class Evidence:
    """The figures; None where one does not apply."""

    held_out_psnr: float
    """dB of frames left out of a short fit, over the subject."""
    drop: float
    """dB from the frames fitted to those left out."""
    silhouette_iou: float | None
    """Of those frames' renders with their masks."""
    inliers: float | None
    """Share of all matches within 2 pixels (at 256) of their epipolar lines."""
    mirror_margin_db: float | None
    """How many dB the orbit in the other direction is behind."""
    mirror_cost_ratio: float | None
    """Its cost by the best one's."""
    agreement_deg: float | None
    """Median angle between relative rotations here and by another method."""
    fov_deg: float
    """Field of view across the longer side."""
    registered: float
    """Share of the frames with a camera."""
    span_deg: float
    """Azimuth covered."""
    largest_gap_deg: float
    """Between neighbouring azimuths."""
    num_sides: int | None = None
    """From how many sides the subject looks the same; 0 from all."""
    likeness: float | None = None
    """How much alike those sides are, 0 to 1."""
    closure: float | None = None
    """How different the last frame is from the first, by what cameras as far apart as theirs see elsewhere."""

    def as_facts(self) -> dict[str, Any]:
        """Return the figures rounded, for a manifest."""
        return {key: None if value is None else round(value, 3) for key, value in asdict(self).items()}


def believe(evidence: Evidence) -> tuple[float, tuple[str, ...]]:
    """Return the confidence, 0 to 1, and a sentence for each figure that lowers it clearly."""
    confidence, reasons = 1.0, []
    for value, bad, good, least, sentence in _ramps(evidence):
        if value is None:
            continue
        share = max(min((value - bad) / (good - bad), 1.0), least)
        confidence *= share
        if share < WARN:
            reasons.append(sentence)
    return confidence, tuple(reasons)


def _ramps(e: Evidence) -> list[tuple[float | None, float, float, float, str]]:
    """Return value, where belief begins, where it is whole, the least belief, and what to say in between.

    The ends were read off clips whose cameras are known: sharp orbits of 256 pixels, ones warped by up to 3 pixels a
    frame, 16 photos under lamps that stand still, small generated clips; with found cameras and mirrored ones. Figures
    that right cameras have lowered as well can only warn.
    """
    sides = f"{e.num_sides} sides" if e.num_sides else "all sides"
    psnr, drop, iou, fov = e.held_out_psnr, e.drop, e.silhouette_iou or 0.0, f"{e.fov_deg:.0f} degrees"
    open_frames = "The cameras end where they began and the frames do not: the turn is less, or more, than one."
    open_cameras = "The frames end where they began and the cameras do not: the turn is more, or less, than found."
    return [
        (psnr, 9.0, 15.0, 0.0, f"Frames left out of a fit come out wrong: {psnr:.1f} dB."),
        (drop, 16.0, 9.0, 0.5, f"Frames left out are {drop:.1f} dB worse than those fitted: the frames do not agree."),
        (e.silhouette_iou, 0.6, 0.85, 0.0, f"Outlines of frames left out agree by {iou:.2f} only."),
        (e.inliers, 0.1, 0.3, 0.3, f"Only {100 * (e.inliers or 0):.0f} % of the matches obey the cameras."),
        (e.mirror_margin_db, -0.5, 1.0, 0.1, "The opposite direction explains the frames as well: inside out?"),
        (e.mirror_cost_ratio, 1.0, 1.1, 0.4, "Matches and outlines hardly tell the direction of the turn."),
        (e.registered, 0.3, 0.9, 0.0, f"Only {100 * e.registered:.0f} % of the frames found a camera."),
        (e.fov_deg, 5.0, 10.0, 0.5, f"A field of view of {fov} is unusually narrow."),
        (e.fov_deg, 95.0, 80.0, 0.5, f"A field of view of {fov} is unusually wide."),
        (e.likeness, 1.0, 0.7, 0.7, f"The subject looks the same from {sides}: where frames stand is told by little."),
        (e.span_deg, 0.0, 200.0, 0.7, f"The cameras cover {e.span_deg:.0f} degrees: the far side was never seen."),
        (e.closure, 2.4, 1.6, 0.5, open_frames),
        (e.closure, 0.2, 0.4, 0.5, open_cameras),
    ]
