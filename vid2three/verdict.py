"""The stage of the verdict: whether the views show one solid, and which of them the fit does without.

It warns and never stops a walk: an asset is made from a refused clip too, and says so.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from recon.camera import Cameras
from recon.consistency.measure import FEWEST, Consistency, measure
from recon.consistency.verdict import repair
from recon.consistency.witness import witness
from recon.masks import ESTIMATED
from recon.metrics import transformed, umeyama
from recon.poses.types import PoseEstimate
from recon.views import Views
from vid2three.capture import load_views
from vid2three.run import Progress, Run, StageFiles

VERDICT = "verdict.json"
DEPTH_OFF = 0.05  # share of a depth map that its neighbours see through from which on it is not used
HIDDEN = ("figures", "frame_trouble", "witness_centers")  # of verdict.json, too long for asset.json
MASKS = (
    "The masks were estimated: where masks.png shows them wrong, better ones with --masks FOLDER may be all it takes."
)


def verdict(run: Run, progress: Progress, *, with_witness: bool = False) -> None:
    """Views to verdict.json: the decision with its reasons, and every figure of every frame.

    The decision stands in asset.json as well. With `with_witness` the cameras are estimated from the frames alone and
    held against those that the views have: about a minute more. Views that have no masks are not judged: what is
    measured there is the background.
    """
    seed = run.manifest["seed"]
    views = load_views(run.folder)
    if views.alphas is None or len(views) < FEWEST:
        run.forget("verdict")
        run.manifest.pop("verdict", None)
        return
    confidence = run.manifest.get("poses", {}).get("confidence")
    is_masked = run.manifest.get("masks", {}).get("method") in ESTIMATED

    def work(files: StageFiles) -> None:
        found = measure(
            views.images, views.alphas, views.cameras, depths=views.depths, has_estimated_masks=is_masked, seed=seed
        )
        judged = repair(
            views.images,
            views.alphas,
            views.cameras,
            found,
            depths=views.depths,
            poses_confidence=confidence,
            seed=seed,
            progress=lambda step, total: progress("verdict", step, total, {}),
        )
        facts: dict[str, Any] = {**judged.facts(), "figures": _figures(found)}
        if judged.decision == "refused" and is_masked:
            facts["reasons"].append(MASKS)
        if with_witness:
            from recon.poses.estimate import estimate  # brings COLMAP's bindings

            estimated = estimate(views.images, views.alphas, seed=seed)
            facts["witness"] = witness(views.cameras, estimated)
            facts["witness_centers"] = _laid_over(estimated, views.cameras)
        with files.file(VERDICT) as path:
            path.write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")

    settings = {"seed": seed, "confidence": confidence, "estimated_masks": is_masked, "witness": with_witness}
    run.stage("verdict", settings, [name for name in view_files(run) if name != VERDICT], work, progress)
    facts = json.loads(run.path(VERDICT).read_text(encoding="utf-8"))
    run.manifest["verdict"] = {key: value for key, value in facts.items() if key not in HIDDEN}
    run.save()
    if facts["decision"] != "accept":
        progress("verdict", 1, 1, {"notes": [f"Verdict: {facts['decision']}.", *facts["reasons"]]})


def agreeing_views(run: Run) -> Views:
    """Return the views of a run, without those that the verdict left out and without depths that it does not trust."""
    views = load_views(run.folder)
    if "verdict" not in run.manifest:
        return views
    facts = json.loads(run.path(VERDICT).read_text(encoding="utf-8"))
    if views.depths is not None:
        off = torch.tensor(facts["figures"].get("depth_off", [0.0] * len(views)))
        trusted = torch.where((off < DEPTH_OFF)[:, None, None], views.depths, 0.0)
        views = replace(views, depths=trusted if bool((trusted > 0).any()) else None)
    dropped = set(facts["dropped_frames"])
    return views[torch.tensor([f for f in range(len(views)) if f not in dropped])] if dropped else views


def witnessed_centers(run: Run) -> np.ndarray | None:
    """Return where the witness saw the cameras [F,3] of the agreeing views, NaN where it did not; None without one."""
    if VERDICT not in run.manifest["files"]:
        return None
    facts = json.loads(run.path(VERDICT).read_text(encoding="utf-8"))
    if "witness_centers" not in facts:
        return None
    dropped = set(facts["dropped_frames"])
    return np.array([c or [np.nan] * 3 for f, c in enumerate(facts["witness_centers"]) if f not in dropped])


def view_files(run: Run) -> list[str]:
    """Return the files of a run that `agreeing_views` reads."""
    pictures = (name for name in run.files(".png") if name.startswith(("views/", "depth/")))
    return ["transforms.json", *pictures, *run.files(VERDICT)]


def _laid_over(estimated: PoseEstimate, commanded: Cameras) -> list[list[float] | None]:
    """Return where a witness saw each camera, laid over the commanded ones by a similarity; None: nowhere."""
    known = estimated.registered
    if int(known.sum()) < 3:
        return [None] * len(commanded)
    matrix = umeyama(estimated.cameras.centers[known], commanded.centers[known])
    centers = transformed(estimated.cameras.centers, matrix).tolist()
    return [[round(x, 4) for x in c] if seen else None for c, seen in zip(centers, known.tolist(), strict=True)]


def _figures(found: Consistency) -> dict[str, Any]:
    """Return the curves that were measured, JSON-able."""
    known = {name: curve for name, curve in found.curves().items() if np.isfinite(curve).all()}
    curves: dict[str, Any] = {name: [round(float(value), 4) for value in curve] for name, curve in known.items()}
    return curves | ({} if np.isnan(found.closure) else {"closure": round(found.closure, 4)})
