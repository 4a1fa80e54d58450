"""The run folder: files written whole or not at all, a manifest (asset.json), and stages that a second call skips.

A stage has a key, the SHA-256 of its settings and of the files it reads. It is skipped where the manifest holds the
same key and every file it wrote is still there with the same SHA-256, so a walk can be killed at any time and resumed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vid2three.disk import disk_errors, gone
from vid2three.errors import DiskError
from vid2three.lock import LOCK, locked

SCHEMA = 1
MANIFEST = "asset.json"
PARTIAL = ".partial-"  # prefix of a file that is being written
LONGEST = 64  # characters, at least as many as any path inside a run folder has while it is written


class Progress(Protocol):
    """Called as a stage goes on: step 0 at its start, step == total at its end."""

    def __call__(self, stage: str, step: int, total: int, info: dict[str, Any]) -> None: ...


def no_progress(stage: str, step: int, total: int, info: dict[str, Any]) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Run:
    """A run folder and its manifest; `manifest` is the parsed asset.json and grows as stages end."""

    folder: Path
    manifest: dict[str, Any]

    def path(self, name: str) -> Path:
        """Return where a file of the run lies, such as "mesh.glb"."""
        return self.folder / name

    def files(self, suffix: str = "") -> list[str]:
        """Return the names of the files that finished stages wrote, sorted."""
        return sorted(name for name in self.manifest["files"] if name.endswith(suffix))

    def save(self) -> None:
        """Write asset.json."""
        _check_there(self.folder)
        text = json.dumps(self.manifest, indent=2, ensure_ascii=False, allow_nan=False)
        with whole_file(self.folder / MANIFEST) as path:
            path.write_text(text + "\n", encoding="utf-8")

    def stage(
        self,
        name: str,
        settings: dict[str, Any],
        reads: Iterable[str],
        work: Callable[[StageFiles], dict[str, Any] | None],
        progress: Progress = no_progress,
    ) -> None:
        """Do `work` unless it is done already, then record its files, wall time and scores.

        `settings` is JSON-able and holds all that the result depends on beside the files in `reads`. `work` writes
        its files through the StageFiles it is given and returns the scores it measured, if any.
        """
        key = _digest({"settings": settings, "reads": {file: self.manifest["files"][file]["sha256"] for file in reads}})
        if self._is_done(name, key):
            progress(name, 1, 1, {"skipped": True})
            return
        progress(name, 0, 1, {})
        start = time.perf_counter()
        files = StageFiles(self.folder, {})
        scores = work(files)
        seconds = round(time.perf_counter() - start, 3)
        self._drop_files(set(self.manifest["stages"].get(name, {}).get("files", [])) - set(files.written))
        self.manifest["stages"][name] = {"key": key, "files": list(files.written), "scores": scores or {}}
        self.manifest["files"].update(files.written)
        self.manifest["timings"][name] = seconds
        self._total()
        self.save()
        progress(name, 1, 1, {"seconds": seconds})

    def forget(self, name: str) -> None:
        """Delete the files and the record of a stage that this run does without, if an earlier one had it."""
        record = self.manifest["stages"].pop(name, None)
        if record is not None:
            self._drop_files(record["files"])
            self._total()
            self.save()

    def _is_done(self, name: str, key: str) -> bool:
        record = self.manifest["stages"].get(name)
        if record is None or record["key"] != key:
            return False
        known = self.manifest["files"]
        return all(
            self.path(file).is_file() and sha256(self.path(file)) == known[file]["sha256"] for file in record["files"]
        )

    def _drop_files(self, names: Iterable[str]) -> None:
        """Delete files that an earlier run of a stage wrote and this one did not."""
        for name in names:
            self.manifest["files"].pop(name, None)
            self.path(name).unlink(missing_ok=True)

    def _total(self) -> None:
        stages = self.manifest["stages"]
        timings = {name: self.manifest["timings"][name] for name in stages}
        peak = max(self.manifest["timings"].get("peak_memory_mb") or 0, peak_memory_mb() or 0) or None
        self.manifest["timings"] = {**timings, "total": round(sum(timings.values()), 3), "peak_memory_mb": peak}
        self.manifest["scores"] = {key: value for stage in stages.values() for key, value in stage["scores"].items()}


@dataclass(frozen=True)
class StageFiles:
    """The files that a stage writes: each appears under its name only when it is whole."""

    folder: Path
    written: dict[str, dict[str, Any]]

    @contextlib.contextmanager
    def file(self, name: str, **facts: Any) -> Iterator[Path]:
        """Give a path to write to; what lies there at the end becomes the file `name`, recorded with `facts`."""
        _check_there(self.folder)
        with whole_file(self.folder / name) as path:
            yield path
            record = {"sha256": sha256(path), "bytes": path.stat().st_size, **facts}
        self.written[name] = record


@contextlib.contextmanager
def held_run(
    folder: Path, arguments: dict[str, Any], facts: dict[str, Any], *, overwrite: bool = False
) -> Iterator[Run]:
    """Open a run as `open_run` does, and let nobody else work in its folder meanwhile.

    Raises ValueError where somebody does, or where the folder cannot be written to, and DiskError with the cure for
    what the disk does to the walk.
    """
    is_new = _make_folder(folder)
    try:
        with disk_errors(folder), locked(folder):
            yield open_run(folder, arguments, facts, overwrite=overwrite)
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it holds something
                folder.rmdir()


def open_run(folder: Path, arguments: dict[str, Any], facts: dict[str, Any], *, overwrite: bool = False) -> Run:
    """Start a run in a new or empty folder, or go on with the one that has the same arguments.

    `arguments` (JSON-able) say what the run is; `facts` only describe it. Both become entries of the manifest. A folder
    with another run or with other files raises ValueError, unless `overwrite`: then files of the run are replaced,
    stages whose inputs did not change are kept, and files that no run wrote are left alone.
    """
    arguments = json.loads(json.dumps(arguments))
    _make_folder(folder)
    for leftover in [*folder.glob(f"{PARTIAL}*"), *folder.glob(f"*/{PARTIAL}*")]:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    fresh = {"stages": {}, "files": {}, "timings": {}, "scores": {}}
    if (folder / MANIFEST).is_file():
        old = load_run(folder).manifest
        before = {key: old.get(key) for key in arguments}
        if before != arguments and not overwrite:
            raise ValueError(
                f"{folder} holds another run ({_difference(before, arguments)}). "
                "Pass --overwrite to replace it, or another folder with -o."
            )
        fresh = {key: old[key] for key in fresh}
        if before == arguments and "exports" in old:  # else they show what the run was before
            exports = old["exports"].items()
            fresh["exports"] = {name: record for name, record in exports if (folder / name).is_file()}
    elif any(path.name != LOCK for path in folder.iterdir()) and not overwrite:
        raise ValueError(f"{folder} is not empty and holds no run. Pass --overwrite, or another folder with -o.")
    run = Run(folder, {"schema": SCHEMA, **arguments, **facts, **fresh})
    run.save()
    return run


def load_run(folder: Path | str) -> Run:
    """Read a run folder's manifest. Raises FileNotFoundError or ValueError with the cure."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no run folder: it holds no {MANIFEST}. Make one with `vid2three make`.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); delete that folder or pass another one with -o.") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise ValueError(f"{path} was not written by this version of vid2three; pass another folder with -o.")
    return Run(Path(folder), manifest)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def peak_memory_mb() -> int | None:
    """Return the most memory this process has held, in MiB; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)  # bytes on macOS, KiB elsewhere


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path beside the target, and move what was written there onto it at the end.

    Raises DiskError where the disk does not take it.
    """
    partial = target.with_name(f"{PARTIAL}{target.name}")
    try:
        with disk_errors(target.parent):  # asked before the partial file goes, which makes room
            target.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            os.replace(partial, target)
    finally:
        with contextlib.suppress(OSError):  # a folder that is gone
            partial.unlink(missing_ok=True)


def _make_folder(folder: Path) -> bool:
    """Make a folder, say whether it is new, and prove that files can be written there, or raise ValueError."""
    probe = folder / f"{PARTIAL}probe-{os.getpid()}".ljust(LONGEST, "-")
    try:
        is_new = not folder.exists()
        if not is_new and not folder.is_dir():
            raise ValueError(f"{folder} is a file, not a folder; pass another folder with -o.")
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink(missing_ok=True)  # another process may have cleared it away
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = f"{'make room on its disk' if is_full else 'make it writable'}, or pass another folder with -o"
        raise ValueError(f"Nothing can be written to {folder} ({error.strerror}); {cure}.") from None
    return is_new


def _check_there(folder: Path) -> None:
    """Raise DiskError where somebody took a run's folder away: a new one with half of its files helps nobody."""
    if not folder.is_dir():
        raise DiskError(gone(folder))


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _difference(old: dict[str, Any], new: dict[str, Any], where: str = "") -> str:
    """Name the first argument in which two runs differ."""
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict) and a != b:
            return _difference(a, b, f"{where}{key}.")
        if a != b:
            return f"{where}{key} is {a!r} there, {b!r} here"
    return "the same arguments"
