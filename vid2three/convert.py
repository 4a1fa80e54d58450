"""Export: a mesh or splats, of a run or out of a file, in another format, height, pivot or with another axis up."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import trimesh

from recon.camera import Cameras
from vid2three import roundtrip
from vid2three.config import ALWAYS, ExportConfig, Pivot, Up, check_export
from vid2three.disk import disk_errors
from vid2three.formats import (
    DEFAULT_UP,
    FIXED_UP,
    MESH_READERS,
    MESH_SAVERS,
    SPLAT_READERS,
    SPLAT_SAVERS,
    What,
    kind_of,
)
from vid2three.formats.contents import MeshFile, SplatsFile
from vid2three.formats.stl import MESH_SAVERS as IN_MILLIMETRES
from vid2three.formats.transforms import load_transforms
from vid2three.formats.usd import ENDINGS as USD_ENDINGS
from vid2three.lock import locked
from vid2three.place import FRAMES, bounds, box_placement, moved, moved_splats
from vid2three.roundtrip import RoundTrip, compare_meshes, compare_splats
from vid2three.run import PARTIAL, Progress, Run, StageFiles, load_run, no_progress, sha256
from vid2three.stages import provenance, world_from_mesh

READERS: dict[What, dict[str, Callable[..., Any]]] = {"mesh": MESH_READERS, "splats": SPLAT_READERS}
SAVERS: dict[What, dict[str, Callable[..., Any]]] = {"mesh": MESH_SAVERS, "splats": SPLAT_SAVERS}
SpzVersion = Literal[3, 4]


@dataclass(frozen=True, eq=False)
class Source:
    """What is to be exported, z up, in units of its own."""

    content: MeshFile | SplatsFile
    extras: dict[str, Any]
    """What the file shall say about where it comes from."""
    cameras: Cameras
    """From which it is looked at."""
    to_cameras: np.ndarray
    """[4,4]: from the content's frame to that of the cameras."""
    extent: np.ndarray
    """Lowest and highest corner [2,3] in the content's frame: what height and pivot are taken from."""
    proxy: trimesh.Trimesh | None = None
    """A mesh of the same thing in the content's frame, for formats that keep one beside splats."""


def export(
    source: Path | str,
    output: Path | str,
    *,
    what: What | None = None,
    height_m: float | None = None,
    pivot: Pivot = "keep",
    up: Up | None = None,
    source_up: Up | None = None,
    spz_version: SpzVersion = 3,
    progress: Progress = no_progress,
) -> Path:
    """Write a mesh or splats in another format, and return the path.

    `source` is a run folder or a file; `what` says which of the two of a run, where the ending of `output` leaves that
    open (a mesh unless said). `height_m` scales to so many metres, `pivot` moves the origin; without them a mesh is
    written as it is, splats in the world of their cameras. `up` is the axis of the file that points up, where its
    format leaves that open, `source_up` that of the source. The file is opened again and compared with what was
    written; asset.json keeps the figure of a file in the run's own folder. Textures of a mesh lie beside it under its
    name. Raises ValueError or FileNotFoundError with the cure.
    """
    source, output = Path(source), Path(output)
    run = load_run(source) if source.is_dir() else None
    what = _what(source, output, what, run)
    check_export(ExportConfig(height_m, pivot))
    axis = _checked_up(output, what, up)
    if spz_version != 3 and output.suffix.lower() != ".spz":
        raise ValueError(f"--spz-version goes with .spz, not with '{output.name}'; leave it out.")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {output.parent}; make it first.")
    is_own = run is not None and output.resolve().parent == run.folder.resolve()
    if run is not None and is_own and output.name in run.manifest["files"]:
        raise ValueError(f"{output.name} belongs to the run in {run.folder}; write to another name or folder.")
    if output.resolve() == source.resolve():
        raise ValueError(f"{output} is the file to be read; write to another name.")
    with disk_errors(output.parent), locked(output.parent) if is_own else contextlib.nullcontext():
        run = load_run(source) if is_own else run  # again: it may have grown before it was ours
        loaded = _of_file(source, what, source_up) if run is None else _of_run(run, what)
        matrix = box_placement(loaded.extent, height_m, pivot)
        found = _moved_in(output, run, lambda path: _written(path, loaded, matrix, axis, spz_version))
        if run is not None and is_own:
            record = {"sha256": sha256(output), "frame": FRAMES[axis], "round_trip": found.facts}
            run.manifest["exports"] = {**run.manifest.get("exports", {}), output.name: record}
            run.save()
    note = f"{output.name}, {FRAMES[axis]}: opened again and drawn, it agrees to {found.psnr_db:.1f} dB."
    progress("export", 1, 1, {"notes": [note], **found.facts})
    return output


def _moved_in(output: Path, run: Run | None, write: Callable[[Path], RoundTrip]) -> RoundTrip:
    """Let `write` write a file of the output's name, and move it and what lies beside it to where it belongs."""
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=output.parent) as beside:
        path = Path(beside) / output.name
        found = write(path)
        files = sorted(path.parent.iterdir(), key=lambda file: file == path)  # the file itself last
        _check_beside(files[:-1], output, run)
        for file in files:
            os.replace(file, output.parent / file.name)
    return found


def exports(run: Run, config: ExportConfig, progress: Progress) -> None:
    """Mesh and splats to the further files that are asked for, such as mesh.usdz, as high as mesh.glb."""
    if not config.files:
        run.forget("export")
        return
    from_world = np.linalg.inv(world_from_mesh(run))

    def work(files: StageFiles) -> None:
        for index, name in enumerate(config.files):
            what: What = "mesh" if name.lower().startswith("mesh") else "splats"
            loaded = _of_run(run, what)
            axis = _checked_up(Path(name), what, None)
            matrix = np.eye(4) if what == "mesh" else from_world
            with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=run.folder) as beside:
                path = Path(beside) / name
                found = _written(path, loaded, matrix, axis, 3)
                facts = {"frame": _frame(path, what, axis, config.height_m), "round_trip": found.facts}
                for file in sorted(path.parent.iterdir(), key=lambda file: file == path):
                    with files.file(file.name, **(facts if file == path else {})) as target:
                        os.replace(file, target)
            progress("export", index + 1, len(config.files), {})

    settings = {"files": list(config.files)}
    run.stage("export", settings, [*ALWAYS, "transforms.json"], work, progress)


def _check_beside(files: list[Path], output: Path, run: Run | None) -> None:
    """Raise ValueError where a texture would replace a picture that no earlier export of this name wrote."""
    for file in files:
        there = output.with_name(file.name)
        of_run = run.manifest["files"] if run and there.resolve().parent == run.folder.resolve() else {}
        if there.exists() and (file.name in of_run or not output.exists()) and there.read_bytes() != file.read_bytes():
            raise ValueError(f"{there} is there already and would be replaced by a texture; choose another name.")


def _frame(path: Path, what: What, axis: Up, height_m: float | None) -> str:
    unit = "units of the input" if height_m is None else "metres"
    if path.suffix.lower() in IN_MILLIMETRES:
        unit = "thousandths of the input's units" if height_m is None else "millimetres"
    return f"{FRAMES[axis]}, {unit}"


def _what(source: Path, output: Path, what: What | None, run: Run | None) -> What:
    """Say whether a mesh or splats are meant. Raises ValueError where the names contradict each other."""
    suffix = output.suffix.lower()
    can = [kind for kind, savers in SAVERS.items() if suffix in savers]
    if not can:
        endings = {kind: ", ".join(sorted(savers)) for kind, savers in SAVERS.items()}
        told = f"a mesh is written as {endings['mesh']}, splats as {endings['splats']}"
        raise ValueError(f"Nothing can be written as '{output.name}': {told}.")
    if run is None:
        if not source.is_file():
            raise FileNotFoundError(f"There is no {source}; pass a run folder or a file.")
        held = kind_of(source)
        if what not in (None, held):
            raise ValueError(f"{source.name} holds {_words(held)}, not {_words(what)}; leave --what out.")
        what = held
    chosen: What = what or ("mesh" if "mesh" in can else "splats")
    if chosen not in can:
        endings = ", ".join(sorted(SAVERS[chosen]))
        raise ValueError(f"{_words(chosen).capitalize()} cannot be written as '{output.name}'; endings: {endings}.")
    return chosen


def _words(what: What | None) -> str:
    return "splats" if what == "splats" else "a mesh"


def _checked_up(output: Path, what: What, up: Up | None) -> Up:
    """Return what is up in the file. Raises ValueError where its format leaves no choice."""
    suffix = output.suffix.lower()
    default = DEFAULT_UP[what][suffix]
    if suffix in FIXED_UP[what] and up not in (None, default):
        raise ValueError(f"A {suffix} is always {FRAMES[default]}; leave --up out.")
    return up or default


def _of_run(run: Run, what: What) -> Source:
    """Load mesh.glb or splats.ply of a run, with some of the run's cameras."""
    name = "mesh.glb" if what == "mesh" else "splats.ply"
    path = run.path(name)
    if not path.is_file():
        raise FileNotFoundError(f"{run.folder} holds no {name}; run `vid2three {run.manifest['command']}` again.")
    content = READERS[what][path.suffix](path)
    cameras = roundtrip.some(load_transforms(run.path("transforms.json")).cameras)
    if isinstance(content, MeshFile):
        to_cameras, extent = world_from_mesh(run), bounds(content.mesh)
    elif run.path("mesh.glb").is_file():  # so that the same height and pivot bring both together
        world = moved(MESH_READERS[".glb"](run.path("mesh.glb")).mesh, world_from_mesh(run))
        return Source(content, provenance(run), cameras, np.eye(4), bounds(world), proxy=world)
    else:
        to_cameras, extent = np.eye(4), bounds(content.splats)
    return Source(content, provenance(run), cameras, to_cameras, extent)


def _of_file(path: Path, what: What, up: Up | None) -> Source:
    suffix = path.suffix.lower()
    if suffix in FIXED_UP[what] and up not in (None, DEFAULT_UP[what][suffix]):
        raise ValueError(f"What is up in a {suffix} is fixed; leave --source-up out.")
    content = READERS[what][suffix](path, up)
    thing = content.mesh if isinstance(content, MeshFile) else content.splats
    return Source(content, content.extras, roundtrip.around(thing), np.eye(4), bounds(thing))


def _written(path: Path, source: Source, matrix: np.ndarray, axis: Up, spz_version: SpzVersion) -> RoundTrip:
    """Write a file, moved by `matrix`, open it again and compare. Raises ValueError where too little is left."""
    content, suffix = source.content, path.suffix.lower()
    back = source.to_cameras @ np.linalg.inv(matrix)
    if isinstance(content, MeshFile):
        MESH_SAVERS[suffix](path, moved(content.mesh, matrix), name=content.name, extras=source.extras, up=axis)
        read = MESH_READERS[suffix](path, axis).mesh
        written = moved(content.mesh, source.to_cameras)
        return compare_meshes(path, written, moved(read, back), source.cameras)
    if content.primitive == "2dgs" and suffix != ".ply":
        raise ValueError(f"Flat splats (2dgs) have no place in a {suffix}; write them as .ply.")
    options: dict[str, Any] = {"primitive": content.primitive, "antialiased": content.antialiased}
    save = SPLAT_SAVERS[suffix]
    if suffix == ".spz":
        save = partial(save, version=spz_version)
    if suffix in USD_ENDINGS and source.proxy is not None:
        save = partial(save, proxy=moved(source.proxy, matrix))
    save(path, moved_splats(content.splats, matrix), extras=source.extras, up=axis, **options)
    read = SPLAT_READERS[suffix](path, axis).splats
    written = moved_splats(content.splats, source.to_cameras)
    return compare_splats(path, written, moved_splats(read, back), source.cameras, **options)
