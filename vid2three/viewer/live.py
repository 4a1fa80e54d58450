"""A run that is still going on: what has come of it so far, for a page that asks every second."""

from __future__ import annotations

from typing import Any

import numpy as np

from vid2three.formats.ply import load_splats
from vid2three.run import Run
from vid2three.snapshots import ask, load_snapshot, snapshot_version
from vid2three.verdict import agreeing_views
from vid2three.viewer.asset import Things, asset_json, run_words


def state(run: Run) -> dict[str, Any]:
    """Return which stages are done, a version that changes with what there is to see, and whether that is all.

    Whoever asks is looking: a fit that goes on is asked for its splats as they are.
    """
    ask(run.folder)
    timings = run.manifest["timings"]
    done = [f"{name} {timings[name]:.0f} s" for name in run.manifest["stages"]]
    seen = [
        run.manifest["files"][name]["sha256"]
        for name in ("transforms.json", "splats.ply", "mesh.glb")
        if _has(run, name)
    ]
    half = snapshot_version(run.folder)
    begun = f"Done: {', '.join(done)}." if done else "The first stage is under way."
    return {
        "isFinished": _has(run, "viewer.html") and _has(run, "report.html"),
        "status": f"Still being made. {begun}" + (" The splats are shown while they are fitted." if half else ""),
        "version": "-".join([*seen, half]),
    }


def asset_now(run: Run) -> dict[str, Any]:
    """Return what there is of a run so far, as a page shows it; splats come half-fitted, the mesh when it is made."""
    glb = run.path("mesh.glb").read_bytes() if _has(run, "mesh.glb") else None
    matrix = run.manifest["files"]["mesh.glb"]["world_from_file"] if glb else np.eye(4)
    splats = load_snapshot(run.folder)
    if splats is None and _has(run, "splats.ply"):
        splats = load_splats(run.path("splats.ply"))
    things = Things(
        splats=splats,
        antialiased=run.manifest["config"]["fit"]["antialiased"] if "fit" in run.manifest["config"] else False,
        glb=glb,
        world_from_glb=np.array(matrix),
        views=agreeing_views(run) if _has(run, "transforms.json") else None,
    )
    return asset_json(run_words(run), things)


def _has(run: Run, name: str) -> bool:
    return name in run.manifest["files"] and run.path(name).is_file()
