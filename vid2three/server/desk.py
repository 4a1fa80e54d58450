"""Who keeps the assets of a server: takes requests up to a bound, gives them to warm processes, knows their state.

A server that is stopped, or killed, goes on with what was left when it starts again.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from vid2three.batches.pool import Event, Pool
from vid2three.reporters import message
from vid2three.server.store import RUN, Store, Stored, now

MOST_RESTARTS = 5  # of an asset; one that ends the server each time must not do so for ever
MOST_NOTES = 20


class Full(Exception):
    """No more is taken; `is_stored` says that disk, not the queue, is the bound."""

    def __init__(self, sentence: str, is_stored: bool):
        super().__init__(sentence)
        self.is_stored = is_stored


class Desk:
    """All methods may be called by any thread."""

    def __init__(self, folder: Path, *, workers: int, threads: int, max_queue: int, max_assets: int):
        self.store, self.max_queue, self.max_assets = Store(folder), max_queue, max_assets
        self._pool = Pool(workers, threads=threads, folder=self.store.folder)
        self._lock = threading.RLock()
        self._assets: dict[str, Stored] = {}
        self._reserved = 0  # places of uploads that are being read
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="desk", daemon=True)

    def start(self) -> None:
        """Take up what an earlier server left, and start the processes."""
        for stored in self.store.load_all():
            if stored.state in ("queued", "running"):
                stored = replace(stored, state="queued", restarts=stored.restarts + 1)
                if stored.restarts > MOST_RESTARTS:
                    reason = f"The server ended {stored.restarts} times before this was made."
                    stored = replace(stored, state="failed", reason=reason, ended=now())
                self.store.save(stored)
            self._assets[stored.id] = stored
            if stored.state == "queued":
                self._pool.submit(stored.id, stored.task, Path(stored.id) / RUN)
        self._pool.warm_up()
        self._thread.start()

    def close(self) -> None:
        """Stop what runs; it is queued again by the next start."""
        with self._lock:
            self._is_closing = True
        self._pool.close()
        self._thread.join()

    def reserve(self) -> None:
        """Keep a place for a request that is being read. Raises Full where there is none."""
        with self._lock:
            queued = self.count("queued") + self._reserved
            if queued >= self.max_queue:
                raise Full(f"{queued} assets wait already; come back later.", False)
            if len(self._assets) + self._reserved >= self.max_assets:
                raise Full(f"{len(self._assets)} assets are stored, which is all; delete some.", True)
            self._reserved += 1

    def release(self) -> None:
        """Give a place back."""
        with self._lock:
            self._reserved -= 1

    def submit(self, stored: Stored) -> Stored:
        """Take an asset that has a place."""
        with self._lock:
            stored = replace(stored, created=now())
            self.store.save(stored)
            self._assets[stored.id] = stored
            self._pool.submit(stored.id, stored.task, Path(stored.id) / RUN)
            return stored

    def get(self, name: str) -> Stored | None:
        """Return an asset; None where there is none of this id."""
        with self._lock:
            return self._assets.get(name)

    def all(self) -> list[Stored]:
        """Return all assets, the newest first."""
        with self._lock:
            return list(reversed(self._assets.values()))

    def count(self, state: str) -> int:
        """Return how many assets are in a state."""
        with self._lock:
            return sum(stored.state == state for stored in self._assets.values())

    def cancel(self, name: str) -> None:
        """Stop an asset that waits or runs; soon after, its state says so. One that has ended stays as it is."""
        self._pool.cancel(name)

    def delete(self, name: str) -> bool:
        """Remove an asset and its files; False where it still waits or runs."""
        with self._lock:
            stored = self._assets[name]
            if stored.state in ("queued", "running"):
                return False
            del self._assets[name]
        self.store.delete(name)
        return True

    def _work(self) -> None:
        while not self._is_closing:
            event = self._pool.next_event(timeout=1.0)
            if event is not None:
                with self._lock:
                    self._heard(event)

    def _heard(self, event: Event) -> None:
        stored = self._assets.get(event.job)
        if stored is None or self._is_closing:
            return
        if event.kind == "step":
            self._assets[stored.id] = _stepped(stored, event.facts)
            return
        if event.kind == "end":
            state = {"done": "done", "failed": "failed", "stopped": "cancelled"}[event.facts["state"]]
            reason = event.facts.get("reason")
            stored = replace(stored, state=state, reason=reason, ended=now(), progress=None)
        else:
            stored = replace(stored, state="running" if event.kind == "start" else "queued", progress=None)
        self._assets[stored.id] = stored
        self.store.save(stored)


def _stepped(stored: Stored, facts: dict[str, Any]) -> Stored:
    stage, step, total, info = facts["stage"], facts["step"], facts["total"], facts["info"]
    notes = (*stored.notes, *info.get("notes", ()))[-MOST_NOTES:]
    if stage == "log":
        return replace(stored, notes=notes)
    told = {"stage": stage, "step": step, "total": total, "message": message(stage, step, total, info)}
    return replace(stored, notes=notes, progress=told)
