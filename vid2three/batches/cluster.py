"""Assets made by the workers of a Ray cluster. No disk need be shared: pictures go there, run folders come back.

What is sent is held in memory, here and there: pictures of one row up to MOST_BYTES, and so the files of its run.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generator.workers import RayPool, Workers
from vid2three.batches.jobs import Job
from vid2three.batches.pool import Event
from vid2three.batches.tasks import carry_out
from vid2three.config import MakeConfig, VideoMakeConfig
from vid2three.run import MANIFEST, load_run, no_progress, whole_file
from vid2three.threads import limit_threads

MOST_BYTES = 2**29  # of the pictures of one row, and of the files of its run


def check_carried(job: Job) -> None:
    """Raise ValueError where a row's pictures cannot travel."""
    total = sum(path.stat().st_size for name in _travelling(job) for path in _files(Path(name)))
    if total > MOST_BYTES:
        raise ValueError(
            f"{job.what} holds {total / 2**20:.0f} MiB; up to {MOST_BYTES // 2**20} travel to Ray's workers. Pass its "
            "absolute path on a disk that they share."
        )


def made_on_ray(jobs: list[Job], folder: Path, workers: Workers, retries: int) -> Iterator[Event]:
    """Make jobs by Ray's workers and put what comes back into the folder; yield each end as it comes."""
    pool = RayPool(workers)
    orders = ((job.task(), _carried(job)) for job in jobs)
    for number, outcome, error in pool.outcomes(_make, orders, retries):
        job = jobs[number]
        if error is not None:
            reason = f"Ray gave it up: {' '.join(str(error).split())[:500]}"
            yield Event("end", job.name, 0, retries + 1, {"state": "failed", "reason": reason})
            continue
        files = outcome.pop("files")
        if outcome["state"] == "done":
            _receive(folder / job.name, files)
        yield Event("end", job.name, 0, 1, outcome)


def _make(order: tuple[dict[str, Any], dict[str, bytes]]) -> dict[str, Any]:
    """Carry out a task in folders that vanish, where relative paths lead to the pictures that came along."""
    task, carried = order
    limit_threads(1)
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as made:
        try:
            os.chdir(place)
            for name, data in carried.items():
                path = _inside(Path(place), name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            outcome = carry_out(task, Path(made) / "run", no_progress)
            files = _packed(Path(made) / "run") if outcome["state"] == "done" else {}
        finally:
            os.chdir(before)
    total = sum(map(len, files.values()))
    if total > MOST_BYTES:
        reason = f"Its files hold {total / 2**20:.0f} MiB; up to {MOST_BYTES // 2**20} come back from Ray's workers."
        return {"state": "failed", "reason": reason, "files": {}}
    return {**outcome, "files": files}


def _packed(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in _files(folder)}


def _receive(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files of a run, its manifest last, and take away those that an earlier run alone had."""
    before: set[str] = set()
    with contextlib.suppress(ValueError, FileNotFoundError):
        before = set(load_run(folder).manifest["files"])
    for name in sorted(files, key=lambda name: name == MANIFEST):
        with whole_file(_inside(folder, name)) as path:
            path.write_bytes(files[name])
    for name in before - set(files):
        _inside(folder, name).unlink(missing_ok=True)


def _travelling(job: Job) -> list[str]:
    """Return the relative paths that a job reads; absolute ones are on a disk that all share."""
    config = job.config
    if isinstance(config, MakeConfig):
        read = [config.generate.image]
    elif isinstance(config, VideoMakeConfig):
        model = config.generator.model
        read = [config.generator.image, config.generator.lora, model if Path(model).is_dir() else ""]
    else:
        read = [job.what, job.extra.get("masks", "")]
    return [name for name in read if name and not Path(name).is_absolute()]


def _carried(job: Job) -> dict[str, bytes]:
    """Return the files that a job reads, by their relative paths."""
    found = {}
    for name in _travelling(job):
        base = Path(name).parent if Path(name).suffix == ".json" else Path(name)  # pictures lie beside it
        found |= {path.as_posix(): path.read_bytes() for path in _files(base)}
    return found


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _inside(folder: Path, name: str) -> Path:
    """Return where a file lies; ValueError where that is outside."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name} leads out of the folder; call `batch` from a folder that holds its pictures.")
    return folder / name
