"""batch.jsonl: one line an asset, in the order of the list; written whole, so that no crash leaves half a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from vid2three.batches.jobs import Job
from vid2three.run import load_run, whole_file

RECORD = "batch.jsonl"
MOST_BYTES = 2**28
State = Literal["waiting", "done", "failed"]


@dataclass(frozen=True)
class Entry:
    """What is known of one asset of a batch."""

    name: str
    """Of its folder, beside batch.jsonl."""
    place: str
    """Where it stands in the list."""
    command: str
    what: str
    """The prompt, or the path of the pictures."""
    seed: int
    preset: str | None
    state: State = "waiting"
    reason: str | None = None
    """Why it failed."""
    verdict: str | None = None
    """accept, repaired, refused; None where views have no masks."""
    verdict_reasons: tuple[str, ...] = ()
    match: float | None = None
    """How well the clip shows the prompt, in [0,1]."""
    psnr_db: float | None = None
    num_faces: int | None = None
    seconds: float | None = None
    """Of its stages, in all."""
    attempts: int = 0
    """Processes that were given it in the last call."""
    key: str = ""
    """Changes where the row, its pictures or the model's weights change."""
    traceback: str | None = None
    """Of a failure that is no mistake of the user's."""


def waiting(job: Job, key: str) -> Entry:
    """Return the entry of a job that is not done yet."""
    return Entry(job.name, job.place, job.command, job.what, job.seed, job.preset, key=key)


def finished(entry: Entry, folder: Path, attempts: int) -> Entry:
    """Return the entry of an asset that is there, with what its asset.json says."""
    manifest = load_run(folder / entry.name).manifest
    verdict, files = manifest.get("verdict", {}), manifest["files"]
    return replace(
        entry,
        state="done",
        verdict=verdict.get("decision"),
        verdict_reasons=tuple(verdict.get("reasons", ())),
        match=files.get("orbit.mp4", {}).get("match"),
        psnr_db=manifest["scores"].get("psnr_db"),
        num_faces=files.get("mesh.glb", {}).get("num_faces"),
        seconds=manifest["timings"].get("total"),
        attempts=attempts,
    )


def failed(entry: Entry, facts: dict[str, Any], attempts: int) -> Entry:
    """Return the entry of an asset that could not be made, with the reason."""
    return replace(entry, state="failed", reason=facts["reason"], traceback=facts.get("traceback"), attempts=attempts)


def save_record(folder: Path, entries: Iterable[Entry]) -> None:
    """Write batch.jsonl."""
    lines = [{key: value for key, value in asdict(entry).items() if value not in (None, (), [])} for entry in entries]
    with whole_file(folder / RECORD) as path:
        text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
        path.write_text(text, encoding="utf-8")


def load_record(folder: Path) -> dict[str, Entry]:
    """Return what batch.jsonl of an earlier call says, by name; a line that cannot be read is one to make anew."""
    path = folder / RECORD
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return {}
    known = {entry.name for entry in fields(Entry)}
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            values = json.loads(line)
            values["verdict_reasons"] = tuple(values.get("verdict_reasons", ()))
            entry = Entry(**{key: value for key, value in values.items() if key in known})
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        found[entry.name] = entry
    return found
