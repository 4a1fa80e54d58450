"""Assets of the server on disk: WORK/ID/asset.json is a run's, WORK/ID/job.json is ours.

WORK/ID/job.json     what was asked, and what has come of it
WORK/ID/upload.png   a picture or video that came with it
WORK/ID/asset/       the run folder
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from vid2three.run import MANIFEST, load_run, whole_file

ID = r"[0-9a-f]{16}"
JOB = "job.json"
RUN = "asset"
MOST_BYTES = 2**20  # of a job.json


@dataclass(frozen=True)
class Stored:
    """One asset that was asked for."""

    id: str
    command: str
    what: str
    """The prompt; of a video the file, seen from the work folder."""
    seed: int
    preset: str
    task: dict[str, Any]
    """See Job.task; paths are seen from the work folder."""
    state: str = "queued"
    created: float = 0.0
    ended: float | None = None
    reason: str | None = None
    restarts: int = 0
    notes: tuple[str, ...] = ()
    progress: dict[str, Any] | None = field(default=None, compare=False)
    """Where it is; not kept on disk."""


class Store:
    """The work folder. Ids are made here, and nothing else of a request becomes part of a path."""

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)

    def new_id(self) -> str:
        """Make the folder of a new asset and return its id."""
        name = secrets.token_hex(8)
        (self.folder / name).mkdir()
        return name

    def save(self, stored: Stored) -> None:
        """Write what is known of an asset."""
        values = {key: value for key, value in asdict(stored).items() if key != "progress"}
        with whole_file(self.folder / stored.id / JOB) as path:
            path.write_text(json.dumps(values, ensure_ascii=False) + "\n", encoding="utf-8")

    def load_all(self) -> list[Stored]:
        """Return all assets, the oldest first. Folders of an upload that never became one are removed."""
        found = []
        for folder in self.folder.iterdir():
            if not re.fullmatch(ID, folder.name) or folder.is_symlink():
                continue
            stored = _load(folder / JOB)
            if stored is None:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                found.append(stored)
        return sorted(found, key=lambda stored: (stored.created, stored.id))

    def delete(self, name: str) -> None:
        """Remove all that there is of an asset."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def run_folder(self, name: str) -> Path:
        """Return where the run of an asset lies, or will."""
        return self.folder / name / RUN

    def manifest(self, name: str) -> dict[str, Any]:
        """Return the asset.json of a run; empty where there is none yet."""
        try:
            return load_run(self.run_folder(name)).manifest
        except (OSError, ValueError):
            return {}

    def file(self, name: str, file: str) -> Path | None:
        """Return a file that asset.json lists, or itself, whatever links or dots say; None for any other."""
        if file != MANIFEST and file not in self.manifest(name).get("files", {}):
            return None
        folder = self.run_folder(name)
        path = (folder / file).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def _load(path: Path) -> Stored | None:
    known = {entry.name for entry in fields(Stored)}
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        values = json.loads(path.read_text(encoding="utf-8"))
        stored = Stored(**{key: value for key, value in values.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return replace(stored, notes=tuple(stored.notes)) if stored.id == path.parent.name else None


def now() -> float:
    """Return the time in seconds since 1970, to the millisecond."""
    return round(time.time(), 3)
