"""`vid2three.batch`: a list becomes a folder of assets. A call goes on where an earlier one stopped."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from generator.workers import Workers
from vid2three.batches import record
from vid2three.batches.check import check_jobs, fingerprint, is_whole
from vid2three.batches.cluster import check_carried, made_on_ray
from vid2three.batches.gallery import Gallery
from vid2three.batches.jobs import MOST_SEEDS, Defaults, Job, jobs_of
from vid2three.batches.pool import RETRIES, Event, Pool
from vid2three.batches.record import RECORD, Entry
from vid2three.batches.table import Mistakes, load_rows
from vid2three.config import MakeConfig, VideoMakeConfig, load_config
from vid2three.lock import LOCK, locked
from vid2three.run import Progress, no_progress
from vid2three.stages import slug

BYTES_A_WORKER = 1.5 * 2**30  # a walk holds 1.2 to 1.4 GB at most
Engine = Literal["pool", "ray"]


@dataclass(frozen=True)
class Batch:
    """What came of a list."""

    folder: Path
    assets: tuple[Entry, ...]
    """In the order of the list."""

    @property
    def failed(self) -> tuple[Entry, ...]:
        """The assets that could not be made, each with its reason."""
        return tuple(entry for entry in self.assets if entry.state == "failed")


def batch(
    source: Path | str | Iterable[str | Mapping[str, Any]],
    output: Path | str,
    *,
    preset: str | None = "standard",
    config: Path | str | None = None,
    generator: str = "embedded",
    seeds: int = 1,
    nerfstudio_env: Path | str | None = None,
    workers: Workers | None = None,
    threads: int = 1,
    retries: int = RETRIES,
    progress: Progress = no_progress,
) -> Batch:
    """Make an asset of each row of a list, several at a time, each in a run folder of its own inside `output`.

    `source` is a .txt (a prompt a line), .csv, .tsv or .jsonl file, or prompts and mappings; docs/batch.md has the
    columns. `preset`, `config` (a YAML file), `generator` (embedded, or the family of a video model of yours) and
    `seeds` (how many, from 0) hold where a row does not say. `workers` says how many processes, or which Ray cluster;
    as many as the machine bears unless given, one where a video model makes clips. `threads` is how
    many each computes with: the files are those of `make` with so many, byte for byte.

    All rows are checked first: Mistakes, a ValueError, tells all that is wrong. A row that fails later fails alone, and
    its reason is kept. Called again, what is there and was asked for in the same way is kept, failures are tried again.
    `progress` hears each walk's steps with "asset" and "worker" in `info`, and of each end the stage "batch".
    """
    usual = workers or Workers(num=default_workers())
    _check_numbers(usual, threads, retries, seeds)
    usual.check()
    config = Path(config) if config else None
    load_config(MakeConfig(), preset, config)  # what is wrong with all rows is told once
    folder = Path(output)
    rows, name = load_rows(source)
    base = Path(source).parent if isinstance(source, (Path, str)) else Path(".")
    defaults = Defaults(preset, config, generator, seeds, Path(nerfstudio_env) if nerfstudio_env else None)
    jobs = jobs_of(rows, name, base, defaults, slug)
    check_jobs(jobs, name, folder, lambda done: progress("check", done, len(jobs), {}))
    if workers is None and any(isinstance(job.config, VideoMakeConfig) for job in jobs):
        usual = replace(usual, num=1)
    if usual.engine == "ray":
        _check_carried(jobs, name)
    progress("check", len(jobs), len(jobs), {})
    _check_folder(folder)
    with locked(folder):
        return _Walk(folder, name, jobs, progress).run(usual, threads, retries)


class _Walk:
    """What is known of each asset while they are made."""

    def __init__(self, folder: Path, title: str, jobs: list[Job], progress: Progress):
        self.folder, self.jobs, self.progress = folder, jobs, progress
        self.gallery = Gallery(folder, title)
        before = record.load_record(folder)
        self.entries: dict[str, Entry] = {}
        for job in jobs:
            entry, known = record.waiting(job, fingerprint(job)), before.get(job.name)
            if known is not None and (known.state, known.key) == ("done", entry.key) and is_whole(folder / job.name):
                entry = record.finished(entry, folder, known.attempts)
            self.entries[job.name] = entry

    def run(self, workers: Workers, threads: int, retries: int) -> Batch:
        kept = [entry for entry in self.entries.values() if entry.state == "done"]
        left = [job for job in self.jobs if self.entries[job.name].state == "waiting"]
        self._save()
        self.progress("batch", 0, len(self.jobs), {})
        for done, entry in enumerate(kept, start=1):
            self._tell(done, entry, {"skipped": True})
        if workers.engine == "ray":
            events = made_on_ray(left, self.folder, workers, retries)
        else:
            events = _made_here(left, self.folder, workers.num, threads, retries)
        done = len(kept)
        for event in events:
            if event.kind == "end":
                done += 1
                self._ended(event, done)
            else:
                self._going_on(event)
        return Batch(self.folder, tuple(self.entries.values()))

    def _ended(self, event: Event, done: int) -> None:
        entry = self.entries[event.job]
        if event.facts["state"] == "done":
            entry = record.finished(entry, self.folder, event.attempts)
        else:
            entry = record.failed(entry, event.facts, event.attempts)
        self.entries[event.job] = entry
        self._save()
        self._tell(done, entry, {"worker": event.worker})

    def _going_on(self, event: Event) -> None:
        where = {"asset": event.job, "worker": event.worker}
        if event.kind == "step":
            facts = event.facts
            self.progress(facts["stage"], facts["step"], facts["total"], {**facts["info"], **where})
        elif event.kind == "lost":
            self.progress("log", 0, 1, {**where, "notes": ["Its process was lost; another one goes on with it."]})

    def _tell(self, done: int, entry: Entry, facts: dict[str, Any]) -> None:
        found = {"state": entry.state, "verdict": entry.verdict, "match": entry.match, "reason": entry.reason}
        told = {key: value for key, value in found.items() if value is not None}
        self.progress("batch", done, len(self.jobs), {"asset": entry.name, **told, **facts})

    def _save(self) -> None:
        entries = list(self.entries.values())
        record.save_record(self.folder, entries)
        self.gallery.save(entries)


def default_workers() -> int:
    """Return how many processes this machine bears: one a processor, as far as its memory goes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = _memory()
    return max(1, cores if memory is None else min(cores, int((memory - 2**30) / BYTES_A_WORKER)))


def _memory() -> float | None:
    """Return the memory of this machine or container in bytes; None where the system does not tell (Windows)."""
    try:
        total = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(total, float(text)) if text.isdigit() else total


def _made_here(jobs: list[Job], folder: Path, num: int, threads: int, retries: int) -> Iterator[Event]:
    """Make jobs by processes of this machine."""
    if not jobs:
        return
    with Pool(min(num, len(jobs)), threads=threads, retries=retries) as pool:
        for job in jobs:
            pool.submit(job.name, job.task(), folder / job.name)
        while not pool.is_idle:
            event = pool.next_event(timeout=1.0)  # some systems let no Ctrl-C into a wait without an end
            if event is not None:
                yield event


def _check_numbers(workers: Workers, threads: int, retries: int, seeds: int) -> None:
    asked = {"workers": (workers.num, 1, 256), "threads": (threads, 1, 256), "retries": (retries, 0, 100)}
    for name, (value, least, most) in {**asked, "seeds": (seeds, 1, MOST_SEEDS)}.items():
        if not least <= value <= most:
            raise ValueError(f"{name} must lie between {least} and {most}, not at {value}.")
    if workers.engine == "pool" and workers.ray_address:
        raise ValueError("--ray-address says where Ray is; add --engine ray to use it.")


def _check_carried(jobs: list[Job], source: str) -> None:
    wrong = []
    for job in jobs:
        try:
            check_carried(job)
        except ValueError as error:
            wrong.append(f"{job.place}: {error}")
    if wrong:
        raise Mistakes(source, wrong)


def _check_folder(folder: Path) -> None:
    """Raise ValueError where a folder is not one for batches."""
    is_used = folder.is_dir() and any(path.name != LOCK for path in folder.iterdir())
    if is_used and not (folder / RECORD).is_file():
        raise ValueError(f"{folder} is not empty and holds no batch; pass another folder with -o.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} cannot be made ({error.strerror}); pass another folder with -o.") from None
