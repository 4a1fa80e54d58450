"""The stages that turn footage, a video or photos without cameras, into views: frames, masks, poses, views.

Each keeps what it found beside its pictures, as frames.json, masks.json and poses.json; asset.json repeats what a
person wants to know of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recon import stereo
from recon.camera import Cameras
from recon.config import PosesConfig
from recon.masks import ESTIMATED, Masking, background_colors, estimate_alphas, unmixed
from recon.masks.agree import fill_denied_holes
from recon.masks.consensus import settle_by_consensus
from recon.poses import learned
from recon.poses.estimate import estimate
from recon.poses.types import PoseEstimate
from recon.views import Views
from vid2three.capture import save_views
from vid2three.config import InputConfig
from vid2three.footage import read_footage
from vid2three.formats.images import load_image, save_image
from vid2three.given_masks import load_masks
from vid2three.run import Progress, Run, StageFiles, sha256
from vid2three.show import save_mask_preview
from vid2three.sources import open_source, picture_files, printable

__all__ = [
    "STAGES",
    "WORLD",
    "check_matcher",
    "check_poses",
    "check_source",
    "digest",
    "frames",
    "masks",
    "poses",
    "views",
]

WORLD = "right-handed, z up along the orbit's axis, the first camera at -y, the subject in the unit sphere"
STAGES = ("frames", "masks", "poses")
FEWEST_CAMERAS = 3
SETTLED_FROM = 0.1  # doubt of estimated masks from which they are settled by all frames together


def check_source(source: Path, masks: Path | None, config: InputConfig) -> None:
    """Raise ValueError or FileNotFoundError, with the cure, for what cannot be read as footage or masks; quick."""
    open_source(source, config.max_size)
    if masks is not None and not masks.is_dir():
        raise FileNotFoundError(f"There is no folder of masks {printable(masks)}; pass one with a picture a frame.")


def check_matcher(config: PosesConfig) -> None:
    """Raise FileNotFoundError or ValueError, with the cure, where a matcher is asked for and is none; quick."""
    if config.matcher:
        learned.check_matcher(Path(config.matcher))


def digest(source: Path) -> str:
    """Return the SHA-256 of a video, or one over a folder's pictures in their order."""
    if not source.is_dir():
        return sha256(source)
    return hashlib.sha256("".join(sha256(path) for path in picture_files(source)).encode()).hexdigest()


def frames(run: Run, source: Path, config: InputConfig, progress: Progress) -> None:
    """A video or photos to frames/*.png, RGBA where they are transparent, and frames.json."""

    def work(files: StageFiles) -> None:
        report = lambda step, total: progress("frames", step, total, {})  # noqa: E731
        footage = read_footage(source, config.num_frames, config.max_size, report)
        for index, pixels in enumerate(footage.frames):
            if footage.alphas is not None:
                pixels = np.dstack([pixels, footage.alphas[index]])
            with files.file(f"frames/{index:03d}.png") as path:
                save_image(path, pixels)
        facts = {
            **footage.facts,
            "closed": footage.closed,
            "fps": footage.fps,
            "notes": footage.notes,
            "indices": footage.indices,
            "times_s": footage.times,
        }
        _save_json(files, "frames.json", facts)

    settings = {
        "input": run.manifest["input"]["sha256"],
        "num_frames": config.num_frames,
        "max_size": config.max_size,
    }
    run.stage("frames", settings, [], work, progress)
    _tell(run, "frames", _read_json(run, "frames.json"), progress)


def masks(run: Run, folder: Path | None, config: InputConfig, progress: Progress) -> None:
    """Frames to masks/*.png, white where the subject is, masks.json, and masks.png to look at.

    Frames with transparency keep it. `folder` holds masks of the user's own.
    """

    def work(files: StageFiles) -> None:
        images, own = _load_frames(run)
        masking = _masking(run, images, own, folder, config, progress)
        is_used = masking.alphas is not None and (config.background == "cut" or masking.doubt <= config.max_doubt)
        notes = list(masking.notes)
        if masking.alphas is not None and not is_used:
            notes.append(
                "The masks are doubtful and not used: the background is kept. --input.background cut uses them."
            )
        for index, alpha in enumerate(masking.alphas if is_used and masking.alphas is not None else ()):
            with files.file(f"masks/{index:03d}.png") as path:
                save_image(path, (alpha * 255).round().to(torch.uint8).numpy())
        doubts = [round(doubt, 4) for doubt in masking.frame_doubts]
        facts = {"method": masking.method, "is_used": is_used, "doubt": round(masking.doubt, 4), "notes": notes}
        _save_json(files, "masks.json", {**facts, "frame_doubts": doubts})
        with files.file("masks.png") as path:
            save_mask_preview(path, run.manifest["input"]["name"], images, masking)

    settings = {
        "background": config.background,
        "max_doubt": config.max_doubt,
        "given": run.manifest["input"].get("masks_sha256"),
    }
    run.stage("masks", settings, _frame_files(run), work, progress)
    _tell(run, "masks", _read_json(run, "masks.json"), progress)


def poses(run: Run, config: PosesConfig, progress: Progress) -> None:
    """Frames and masks to poses.json: each frame's camera, and how far to believe them."""
    seed = run.manifest["seed"]

    def work(files: StageFiles) -> None:
        images, _ = _load_frames(run)
        facts = _read_json(run, "frames.json")
        clock = {"times_s": np.array(facts["times_s"]), "is_closed": facts["closed"]}
        report = partial(_report_poses, progress)
        found = estimate(images, _load_masks(run), config, **clock, seed=seed, progress=report)
        _save_json(files, "poses.json", _as_json(found))

    reads = [*_frame_files(run), *_mask_files(run)]
    run.stage("poses", {"poses": asdict(config), "seed": seed}, reads, work, progress)
    facts = _read_json(run, "poses.json")
    hidden = ("K", "w2c", "points", "height", "width")
    _tell(run, "poses", {key: value for key, value in facts.items() if key not in hidden}, progress)


def check_poses(run: Run, least: float, force: bool) -> None:
    """Raise ValueError, with the reasons and the cure, for cameras that are not to be believed, unless `force`."""
    facts = run.manifest["poses"]
    num = sum(facts["registered"])
    if num < FEWEST_CAMERAS:
        raise ValueError(
            f"Only {num} of {len(facts['registered'])} frames found a camera; {FEWEST_CAMERAS} are needed. "
            f"{_reasons(facts)} The frames are in {run.path('frames')}; film all around the subject, in even light."
        )
    if facts["confidence"] < least and not force:
        raise ValueError(
            f"The cameras are not to be believed (confidence {facts['confidence']:.2f}, {least:.2f} is needed). "
            f"{_reasons(facts)} Look at {run.path('masks.png')}; film anew, or pass --force to go on anyway."
        )


def views(run: Run, config: InputConfig, progress: Progress) -> None:
    """Frames, masks and poses to views/*.png and transforms.json; depth/*.png where the background is kept."""

    def work(files: StageFiles) -> None:
        found, notes = _posed(run)
        if notes:
            progress("views", 0, 1, {"notes": notes})
        if config.match and found.alphas is None and len(found) >= stereo.MIN_VIEWS:
            found = stereo.with_depths(found, lambda step, total: progress("views", step, total, {}))
        save_views(files, found, WORLD)

    reads = [*_frame_files(run), *_mask_files(run), "poses.json"]
    run.stage("views", {"match": config.match, "seed": run.manifest["seed"]}, reads, work, progress)


def _masking(
    run: Run,
    images: torch.Tensor,
    own: torch.Tensor | None,
    folder: Path | None,
    config: InputConfig,
    progress: Progress,
) -> Masking:
    """Return the frames' own alphas, else the masks that were given, else those that are found."""
    certain = (0.0,) * len(images)
    if own is not None:
        return Masking(own, "alpha", 0.0, (), certain)
    if folder is not None:
        facts = _read_json(run, "frames.json")
        size = images.shape[1], images.shape[2]
        return Masking(
            load_masks(folder, facts["indices"], facts["num_source_frames"], *size), "given", 0.0, (), certain
        )
    if config.background == "keep":
        return Masking(None, "none", 0.0, (), certain)
    report = lambda share: progress("masks", round(100 * share), 100, {})  # noqa: E731
    found = estimate_alphas(images, seed=run.manifest["seed"], progress=report)
    if found.alphas is None and config.background == "cut":
        raise ValueError("No single subject stands out from the background; give --masks FOLDER, or --no-mask.")
    return found


def _report_poses(progress: Progress, step: int, total: int, facts: dict[str, Any]) -> None:
    progress("poses", step, total, {"doing": facts.get("step"), **{k: v for k, v in facts.items() if k != "step"}})


def _posed(run: Run) -> tuple[Views, list[str]]:
    """Return the frames that have a camera, as views, and what was done to their masks.

    Where the background is plain, colours are the subject's own.
    """
    images, _ = _load_frames(run)
    masks, facts = run.manifest["masks"], _read_json(run, "poses.json")
    cameras = Cameras(torch.tensor(facts["K"]), torch.tensor(facts["w2c"]), facts["height"], facts["width"])
    points = None if facts["points"] is None else torch.tensor(facts["points"])
    found = Views(images, _load_masks(run), None, cameras, points)[torch.tensor(facts["registered"])]
    notes = []
    if masks["method"] in ESTIMATED and found.alphas is not None:
        found, filled = fill_denied_holes(found)
        if filled:
            notes.append(f"Holes in the masks of {len(filled)} frames that all other frames deny were filled.")
        if masks["doubt"] >= SETTLED_FROM:
            found, settled = settle_by_consensus(found, seed=run.manifest["seed"])
            if settled:
                notes.append(f"The masks of {len(settled)} frames were put right by what all frames show together.")
    if found.alphas is not None and masks["method"] == "plain background":
        found = replace(found, images=unmixed(found.images, found.alphas, background_colors(found.images)))
    return found, notes


def _as_json(found: PoseEstimate) -> dict[str, Any]:
    return {
        "source": found.source,
        "confidence": round(found.confidence, 4),
        "reasons": list(found.reasons),
        "facts": found.facts,
        "registered": found.registered.tolist(),
        "height": found.cameras.height,
        "width": found.cameras.width,
        "K": found.cameras.K.tolist(),
        "w2c": found.cameras.w2c.tolist(),
        "points": None if found.points is None else found.points.tolist(),
    }


def _load_frames(run: Run) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the frames [F,H,W,3] in [0,1], and their own alphas [F,H,W] if they have any."""
    names = [name for name in _frame_files(run) if name.endswith(".png")]
    pixels = torch.from_numpy(np.stack([load_image(run.path(name)) for name in names])).float() / 255
    return pixels[..., :3], pixels[..., 3] if pixels.shape[3] == 4 else None


def _load_masks(run: Run) -> torch.Tensor | None:
    names = [name for name in _mask_files(run) if name.startswith("masks/")]
    if not names:
        return None
    return torch.from_numpy(np.stack([load_image(run.path(name))[..., 0] for name in names])).float() / 255


def _frame_files(run: Run) -> list[str]:
    return ["frames.json", *(name for name in run.files(".png") if name.startswith("frames/"))]


def _mask_files(run: Run) -> list[str]:
    return ["masks.json", *(name for name in run.files(".png") if name.startswith("masks/"))]


def _tell(run: Run, name: str, facts: dict[str, Any], progress: Progress) -> None:
    """Repeat a stage's facts in asset.json, and say its notes."""
    run.manifest[name] = facts
    run.save()
    notes = facts.get("notes") or facts.get("reasons") or []
    if notes:
        progress(name, 1, 1, {"notes": notes})


def _reasons(facts: dict[str, Any]) -> str:
    return " ".join(facts["reasons"])


def _save_json(files: StageFiles, name: str, value: dict[str, Any]) -> None:
    with files.file(name) as path:
        path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _read_json(run: Run, name: str) -> dict[str, Any]:
    return json.loads(run.path(name).read_text(encoding="utf-8"))
