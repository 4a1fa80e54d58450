"""What a run folder or a file of a mesh or splats holds: counts, bounds, frame, and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recon.mesh_render import base_color
from vid2three.formats import MESH_READERS, SPLAT_READERS, kind_of
from vid2three.formats.contents import MeshFile, SplatsFile
from vid2three.place import FRAMES, bounds
from vid2three.run import load_run
from vid2three.stages import provenance


def info(source: Path | str) -> dict[str, Any]:
    """Return what is known of a run folder or a file, JSON-able. Raises ValueError or FileNotFoundError with the cure.

    Bounds are the lowest and the highest corner with z up, in the file's units; of splats those of the solid ones'
    centres. What stands under `provenance` is what the file says, and nobody has checked it.
    """
    source = Path(source)
    if source.is_dir():
        return _of_run(source)
    if not source.is_file():
        raise FileNotFoundError(f"There is no {source}; pass a run folder or a file.")
    what = kind_of(source)
    readers = MESH_READERS if what == "mesh" else SPLAT_READERS
    content = readers[source.suffix.lower()](source)
    facts = _of_mesh(content) if isinstance(content, MeshFile) else _of_splats(content)
    found = {"file": source.name, "bytes": source.stat().st_size, "holds": what, **facts}
    writer = {"written_by": content.generator} if content.generator else {}
    return {**found, "frame": FRAMES[content.up], **writer, "provenance": content.extras}


def table(found: dict[str, Any], indent: str = "") -> str:
    """Return what `info` found as lines to print."""
    width = max((len(key) for key in found), default=0)
    lines = []
    for key, value in found.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}", table(value, indent + "  ")] if value else [f"{indent}{key:<{width}}  none"]
        else:
            lines.append(f"{indent}{key:<{width}}  {_words(value)}")
    return "\n".join(lines)


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return "".join(letter for letter in " ".join(str(value).split()) if letter.isprintable())


def _of_run(folder: Path) -> dict[str, Any]:
    run = load_run(folder)
    files = {
        name: {key: record[key] for key in ("bytes", "frame", "round_trip", "sha256") if key in record}
        for name, record in sorted(run.manifest["files"].items())
        if "/" not in name
    }
    counts = {key: run.manifest["files"].get("splats.ply", {}).get(key) for key in ("num_splats",)}
    counts |= {key: run.manifest["files"].get("mesh.glb", {}).get(key) for key in ("num_vertices", "num_faces")}
    found = {"run": run.manifest["name"], "holds": "run", "world": run.manifest.get("world", "unknown")}
    known = {key: value for key, value in counts.items() if value is not None}
    origin = {**provenance(run), "vid2three": run.manifest["versions"]["vid2three"]}
    found |= {**known, "scores": run.manifest["scores"], "provenance": origin, "files": files}
    return {**found, "exports": run.manifest["exports"]} if "exports" in run.manifest else found


def _of_mesh(content: MeshFile) -> dict[str, Any]:
    mesh, texture = content.mesh, base_color(content.mesh)
    look = "none" if texture is None else f"texture of {texture.shape[1]} x {texture.shape[0]}"
    if texture is None and getattr(mesh.visual, "kind", None) == "vertex":
        look = "vertex colours"
    facts = {"name": content.name, "num_vertices": len(mesh.vertices), "num_faces": len(mesh.faces), "colors": look}
    return {**facts, "bounds": bounds(mesh).round(6).tolist()}


def _of_splats(content: SplatsFile) -> dict[str, Any]:
    splats = content.splats
    facts = {"num_splats": len(splats), "sh_degree": splats.sh_degree, "primitive": content.primitive}
    return {**facts, "antialiased": content.antialiased, "bounds": bounds(splats).round(6).tolist()}
