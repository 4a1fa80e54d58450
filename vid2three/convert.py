"""Export: a run's mesh or splats in another format, height or pivot."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from vid2three.config import ExportConfig, check_export
from vid2three.formats import MESH_LOADERS, MESH_SAVERS, SPLAT_LOADERS, SPLAT_SAVERS
from vid2three.place import moved, placement
from vid2three.run import PARTIAL, load_run
from vid2three.stages import provenance


def export(
    folder: Path | str,
    output: Path | str,
    *,
    what: Literal["mesh", "splats"] = "mesh",
    height_m: float | None = None,
    pivot: Literal["keep", "base", "centre"] = "keep",
) -> Path:
    """Write a run's mesh as .glb, .obj, .ply or .stl, or its splats as .ply, and return the path.

    A texture of an .obj lies beside it, with its .mtl, under the same name.
    `height_m` scales the mesh to so many metres, `pivot` moves its origin; without them it is written as in mesh.glb.
    Splats stay in the world of their cameras. Raises ValueError or FileNotFoundError with the cure.
    """
    run, output = load_run(folder), Path(output)
    savers = MESH_SAVERS if what == "mesh" else SPLAT_SAVERS
    suffix = output.suffix.lower()
    if suffix not in savers:
        raise ValueError(f"A {what} cannot be written as '{output.name}'; endings: {', '.join(sorted(savers))}.")
    if what == "splats" and (height_m is not None or pivot != "keep"):
        raise ValueError("Splats stay in the world of their cameras; leave --height-m and --pivot out.")
    check_export(ExportConfig(height_m, pivot))
    if not output.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {output.parent}; make it first.")
    source = run.path("mesh.glb" if what == "mesh" else "splats.ply")
    if not source.is_file():
        raise FileNotFoundError(f"{folder} holds no {source.name}; run `vid2three {run.manifest['command']}` again.")
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=output.parent) as beside:
        path = Path(beside) / output.name
        if what == "splats":
            comments = tuple(f"{key}: {value}" for key, value in provenance(run).items())
            SPLAT_SAVERS[suffix](path, SPLAT_LOADERS[".ply"](source), comments=comments)
        else:
            mesh = MESH_LOADERS[".glb"](source)
            placed = moved(mesh, placement(mesh, height_m, pivot))
            MESH_SAVERS[suffix](path, placed, name=run.manifest["name"], extras=provenance(run))
        for file in sorted(path.parent.iterdir(), key=lambda file: file == path):  # the file itself last
            os.replace(file, output.parent / file.name)
    return output
