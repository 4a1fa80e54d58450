"""What a viewer shows, gathered from a run folder or from one file, as the JSON that web/src reads."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recon.hull import look_at_point
from recon.reference import LOW_PASS
from recon.splats import Splats
from recon.views import Views
from vid2three import show
from vid2three.formats.ply import load_splats
from vid2three.report import EXPLAINED, MARKS
from vid2three.run import Run
from vid2three.turntable import bounding_sphere, up_direction
from vid2three.verdict import VERDICT, agreeing_views
from vid2three.viewer.pack import MOST_GLB_BYTES, MOST_SPLAT_BYTES, pack_glb, pack_picture, pack_splats

FRAME_SIDE = 256  # pixels of a frame's longer side, at most
MOST_FRAMES = 72  # in the page, evenly chosen
SCENE_SHARE = 0.5  # of the cameras' distance: what is looked at where nothing was cut out


@dataclass(frozen=True, eq=False)
class Words:
    """What a page says about an asset."""

    title: str
    subtitle: str = ""
    is_generated: bool = False
    verdict: dict[str, Any] | None = None
    """What verdict.json holds."""
    facts: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """What to call them, and addresses."""


@dataclass(frozen=True, eq=False)
class Things:
    """What a page shows, in the world of the cameras."""

    splats: Splats | None = None
    antialiased: bool = False
    low_pass: float = LOW_PASS
    """Variance in pixels that splats are drawn with."""
    glb: bytes | None = None
    world_from_glb: np.ndarray = field(default_factory=lambda: np.eye(4))
    views: Views | None = None
    frame_numbers: tuple[int, ...] = ()
    """What the views are called; one each."""


def run_asset(run: Run) -> dict[str, Any]:
    """Return a finished run as a page shows it."""
    return asset_json(run_words(run), run_things(run))


def run_words(run: Run) -> Words:
    """Return what there is to say about a run."""
    manifest = run.manifest
    verdict = json.loads(run.path(VERDICT).read_text("utf-8")) if VERDICT in manifest["files"] else None
    scores = {key: value for stage in manifest["stages"].values() for key, value in stage["scores"].items()}
    facts = [("seed", str(manifest["seed"]))]
    if "weights" in manifest:
        facts.append(("model", f"{manifest['weights']['name']} ({manifest['weights']['licence']})"))
    if "psnr_db" in scores:
        facts.append(("splats", f"{manifest['files']['splats.ply']['num_splats']:,}, {scores['psnr_db']:.1f} dB"))
    mesh = manifest["files"].get("mesh.glb")
    if mesh is not None:
        closed = "closed" if mesh.get("is_watertight") else "not closed"
        facts.append(("mesh", f"{mesh['num_faces']:,} triangles, {closed}"))
    facts.append(("made by", f"vid2three {manifest['versions']['vid2three']}"))
    return Words(
        title=show.title(manifest),
        subtitle=show.subtitle(manifest).removesuffix(", AI-generated"),
        is_generated=manifest["provenance"]["ai_generated"],
        verdict=verdict,
        facts=facts,
        links=[("All that was measured: report.html", "report.html")],
    )


def run_things(run: Run) -> Things:
    """Return what there is to see of a finished run."""
    views = agreeing_views(run)
    mesh = run.manifest["files"]["mesh.glb"]
    dropped = set(run.manifest.get("verdict", {}).get("dropped_frames", []))
    numbers = tuple(f for f in range(len(views) + len(dropped)) if f not in dropped)  # as the verdict counts them
    return Things(
        splats=load_splats(run.path("splats.ply")),
        antialiased=run.manifest["config"]["fit"]["antialiased"],
        glb=run.path("mesh.glb").read_bytes(),
        world_from_glb=np.array(mesh["world_from_file"]),
        views=views,
        frame_numbers=numbers,
    )


def asset_json(words: Words, things: Things, *, is_bounded: bool = True) -> dict[str, Any]:
    """Return what web/src reads; `is_bounded` keeps it to a few MB, with smaller textures and fewer splats."""
    views = things.views
    center, radius = _sphere(things)
    is_mesh_alone = things.splats is None and views is None  # as a GLB stands: y up, its front at +z
    up = torch.tensor([0.0, 1.0, 0.0] if is_mesh_alone else [0.0, 0.0, 1.0])
    start = torch.tensor([0.35, 0.35, 1.0] if is_mesh_alone else [0.35, -1.0, 0.35])
    if views is not None:
        up = up_direction(views.cameras)
        start = views.cameras.centers[0] - center
    asset: dict[str, Any] = {
        **_described(words),
        "up": _numbers(up),
        "center": _numbers(center),
        "radius": radius,
        "start": _numbers(start / start.norm()),
    }
    if things.splats is not None:
        most = MOST_SPLAT_BYTES if is_bounded else None
        options = {"antialiased": things.antialiased, "low_pass": things.low_pass, "most_bytes": most}
        asset["splats"] = packed = pack_splats(things.splats, **options)
        if packed["count"] < packed["total"]:
            asset["facts"].append(["shown here", f"{packed['count']:,} of {packed['total']:,} splats"])
    if things.glb is not None:
        glb = pack_glb(things.glb, MOST_GLB_BYTES if is_bounded else None)
        matrix = [float(value) for value in things.world_from_glb.ravel()]
        asset["mesh"] = {"glb": base64.b64encode(glb).decode(), "worldFromFile": matrix}
    if views is not None:
        asset["cameras"] = _cameras(views, things.frame_numbers)
    return asset


def _described(words: Words) -> dict[str, Any]:
    verdict = None
    if words.verdict is not None:
        decision = words.verdict["decision"]
        reasons = list(words.verdict["reasons"])
        verdict = {"decision": decision, "label": MARKS[decision], "meaning": EXPLAINED[decision], "reasons": reasons}
    return {
        "title": words.title,
        "subtitle": words.subtitle,
        "isGenerated": words.is_generated,
        "verdict": verdict,
        "facts": [list(fact) for fact in words.facts],
        "links": [list(link) for link in words.links],
    }


def _sphere(things: Things) -> tuple[Tensor, float | None]:
    """Return centre [3] and radius of what is to be seen, for a first look; no radius: the page finds out."""
    views = things.views
    if views is not None and views.alphas is None:  # a whole scene: what the cameras look at
        center = torch.from_numpy(look_at_point(views.cameras)).float()
        return center, round(SCENE_SHARE * float((views.cameras.centers - center).norm(dim=1).quantile(0.6)), 6)
    if things.splats is not None and len(things.splats) > 0:
        center, radius = bounding_sphere(things.splats)
        return center, round(radius, 6)
    return torch.zeros(3), None if views is None else 1.0


def _cameras(views: Views, numbers: tuple[int, ...]) -> dict[str, Any]:
    num = len(views)
    chosen = sorted({round(k * num / min(MOST_FRAMES, num)) for k in range(min(MOST_FRAMES, num))})
    shown = views[torch.tensor(chosen)]
    K, c2w = shown.cameras.K, shown.cameras.c2w[:, :3]
    pixels = shown.images if shown.alphas is None else torch.cat([shown.images, shown.alphas[..., None]], dim=-1)
    frames = (255 * pixels.clamp(0, 1)).round().to(torch.uint8).numpy()
    return {
        "width": shown.cameras.width,
        "height": shown.cameras.height,
        "K": [_numbers(torch.stack([k[0, 0], k[1, 1], k[0, 2], k[1, 2]])) for k in K],
        "c2w": [_numbers(matrix.flatten()) for matrix in c2w],
        "frames": [pack_picture(frame, FRAME_SIDE) for frame in frames],
        "numbers": [numbers[index] for index in chosen] if numbers else chosen,
    }


def _numbers(values: Tensor) -> list[float]:
    return [round(float(value), 6) for value in values]
