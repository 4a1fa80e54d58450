"""Processes of this machine that make assets: each stays warm, and one that is lost costs the time of one asset."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from vid2three.threads import VARIABLES

RETRIES = 2  # of an asset whose process was lost; an error inside the making of it is not retried
GRACE_S = 10.0  # from the wish to stop to the end by force
ROOT = Path(__file__).parents[2]
START = "import sys; sys.path[0] = {root!r}; from vid2three.batches.worker import main; main()"


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    start and lost: {}; step: stage, step, total, info; end: state (done, failed, stopped) and for a failure reason and
    perhaps traceback.
    """

    kind: Literal["start", "step", "lost", "end"]
    job: str
    worker: int
    attempts: int
    facts: dict[str, Any]


@dataclass
class _Order:
    job: str
    task: dict[str, Any]
    output: str
    attempts: int = 0
    is_cancelled: bool = False


@dataclass
class _Process:
    index: int
    process: subprocess.Popen[str]
    errors: IO[bytes]
    order: _Order | None = None
    is_ended: bool = field(default=False)

    def send(self, facts: dict[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):  # lost; its end is told by its stdout
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(facts) + "\n")
            self.process.stdin.flush()

    def kill(self) -> None:
        """End it and all that it started."""
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()


class Pool:
    """Up to `num` processes, started as jobs come; `next_event` drives it and is called by one thread alone.

    `threads` is how many each computes with, `folder` where relative paths of tasks start. Closing stops what runs and
    leaves no process behind.
    """

    def __init__(self, num: int, *, threads: int, retries: int = RETRIES, folder: Path | None = None):
        self.num, self.threads, self.retries, self.folder = num, threads, retries, folder
        self._lock = threading.RLock()
        self._heard: queue.SimpleQueue[tuple[_Process | None, dict[str, Any] | None]] = queue.SimpleQueue()
        self._events: deque[Event] = deque()
        self._waiting: deque[_Order] = deque()
        self._processes: list[_Process | None] = [None] * num
        self._is_closed = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, job: str, task: dict[str, Any], output: Path | str) -> None:
        """Queue a task (see Job.task) under a name of its own; its files come into the folder `output`."""
        with self._lock:
            self._waiting.append(_Order(job, task, str(output)))
            self._dispatch()

    def cancel(self, job: str) -> None:
        """Stop a job that waits or runs: its end comes as an event. One that is not here is none to stop."""
        with self._lock:
            for order in [order for order in self._waiting if order.job == job]:
                self._waiting.remove(order)
                self._end(order, -1, {"state": "stopped"})
            for process in self._processes:
                if process is not None and process.order is not None and process.order.job == job:
                    process.order.is_cancelled = True
                    process.send({"stop": job})
                    timer = threading.Timer(GRACE_S, self._kill_if_still, (process, process.order))
                    timer.daemon = True
                    timer.start()

    def warm_up(self) -> None:
        """Start all processes before there is a job."""
        with self._lock:
            for index, process in enumerate(self._processes):
                if process is None:
                    self._processes[index] = self._start(index)

    @property
    def is_idle(self) -> bool:
        """Nothing waits, runs, or is to be told."""
        with self._lock:
            is_busy = any(process is not None and process.order is not None for process in self._processes)
            return not (is_busy or self._waiting or self._events)

    def next_event(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event; None after `timeout` seconds, or where there is nothing to wait for."""
        while True:
            with self._lock:
                if self._events:
                    return self._events.popleft()
                if self._is_closed or (timeout is None and self.is_idle):
                    return None
            try:
                process, told = self._heard.get(timeout=timeout)
            except queue.Empty:
                return None
            with self._lock:
                if process is not None:
                    self._ended(process) if told is None else self._told(process, told)

    def close(self) -> None:
        """Stop what runs, wait for it for a moment, and end the processes."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            left = [process for process in self._processes if process is not None]
            self._heard.put((None, None))
        for process in left:
            with contextlib.suppress(OSError):
                assert process.process.stdin is not None
                process.process.stdin.close()
        for process in left:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.process.wait(GRACE_S if process.order else 2.0)
            process.kill()
            process.process.wait()

    def _told(self, process: _Process, told: dict[str, Any]) -> None:
        order = process.order
        if order is None or told.get("job") != order.job:
            return
        facts = {key: value for key, value in told.items() if key not in ("event", "job")}
        if told["event"] == "step":
            self._events.append(Event("step", order.job, process.index, order.attempts, facts))
            return
        process.order = None
        if "traceback" in facts:  # a bug, or a library or device in a state of which nobody knows
            self._processes[process.index] = None
            process.kill()
        self._end(order, process.index, facts)
        self._dispatch()

    def _ended(self, process: _Process) -> None:
        """A process is gone: give its job to another, or say that it failed."""
        order = process.order
        if self._processes[process.index] is process:
            self._processes[process.index] = None
        process.errors.seek(max(process.errors.seek(0, os.SEEK_END) - 2000, 0))
        last = process.errors.read().decode(errors="replace").strip().splitlines()[-1:]
        process.errors.close()
        if order is None:
            return
        if order.is_cancelled:
            self._end(order, process.index, {"state": "stopped"})
        elif order.attempts > self.retries:
            reason = _how(process.process.returncode, order.attempts) + "".join(
                f" It said last: {line}" for line in last
            )
            self._end(order, process.index, {"state": "failed", "reason": reason})
        else:
            self._events.append(Event("lost", order.job, process.index, order.attempts, {}))
            self._waiting.appendleft(order)
        self._dispatch()

    def _end(self, order: _Order, worker: int, facts: dict[str, Any]) -> None:
        self._events.append(Event("end", order.job, worker, order.attempts, facts))
        if worker < 0:  # told by whoever cancelled: wake who waits for events
            self._heard.put((None, None))

    def _dispatch(self) -> None:
        """Give waiting jobs to idle processes, warm ones first; start those that are missing."""
        if self._is_closed:
            return
        idle = [i for i, process in enumerate(self._processes) if process is None or process.order is None]
        for index in sorted(idle, key=lambda i: self._processes[i] is None):
            if not self._waiting:
                return
            process = self._processes[index] or self._start(index)
            self._processes[index] = process
            process.order = order = self._waiting.popleft()
            order.attempts += 1
            process.send({"job": order.job, "task": order.task, "output": order.output})
            self._events.append(Event("start", order.job, index, order.attempts, {}))
            self._heard.put((None, None))

    def _start(self, index: int) -> _Process:
        environment = {**os.environ, **dict.fromkeys(VARIABLES, str(self.threads)), "OMP_WAIT_POLICY": "passive"}
        errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed when the process has ended
        apart: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is for us, who tell them
        if os.name == "nt":
            apart = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        process = subprocess.Popen(
            [sys.executable, "-c", START.format(root=str(ROOT))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=self.folder,
            encoding="utf-8",
            **apart,
        )
        started = _Process(index, process, errors)
        threading.Thread(target=self._listen, args=(started,), daemon=True).start()
        return started

    def _listen(self, process: _Process) -> None:
        assert process.process.stdout is not None
        with contextlib.suppress(ValueError):  # a line that was cut off
            for line in process.process.stdout:
                self._heard.put((process, json.loads(line)))
        process.kill()  # also what it may have started; then its number may be given away
        process.process.wait()
        self._heard.put((process, None))

    def _kill_if_still(self, process: _Process, order: _Order) -> None:
        with self._lock:
            if process.order is order:
                process.kill()


def _how(code: int, attempts: int) -> str:
    """Say how a process ended."""
    times = "once" if attempts == 1 else f"{attempts} times"
    if code == -9:
        return (
            f"The process that makes it was killed {times}, as a system does whose memory is full: try fewer workers."
        )
    how = f"by signal {-code}" if code < 0 else f"with code {code}"
    return f"The process that makes it ended {how}, {times}."
