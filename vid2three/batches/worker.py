"""A process that makes one asset after the other and stays warm in between; vid2three.batches.pool starts it.

Jobs come as lines of JSON on stdin: {"job": NAME, "task": ..., "output": FOLDER}, or {"stop": NAME}. What happens goes
out as lines of JSON on stdout. When stdin ends, so does the process: none is left behind, however its parent went.
"""

from __future__ import annotations

import _thread
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, TextIO

GRACE_S = 8.0  # that a step has to notice that it shall stop
EVERY_S = 0.1  # that steps are told at most


def main() -> None:
    """Work until stdin ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints must not get between the lines
    Worker(out).work()


class Worker:
    """The state of the process: which job it is at, and whether that shall stop."""

    def __init__(self, out: TextIO):
        self.out = out
        self.jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.current: str | None = None
        self.shall_stop: set[str] = set()
        self.is_over = False
        self.told: tuple[str, float] = ("", 0.0)

    def work(self) -> None:
        signal.signal(signal.SIGINT, self._interrupted)
        threading.Thread(target=self._listen, daemon=True).start()
        handler = logging.Handler()
        handler.emit = lambda record: self._step("log", 0, 1, {"notes": [record.getMessage()]})  # type: ignore[method-assign]
        for package in ("generator", "recon", "vid2three"):
            logging.getLogger(package).addHandler(handler)
        from vid2three.batches.tasks import carry_out

        self._tell({"event": "ready"})
        while (order := self.jobs.get()) is not None:
            try:
                self.current = order["job"]
                self._check()
                outcome = carry_out(order["task"], order["output"], self._step)
            except KeyboardInterrupt:
                outcome = {"state": "stopped"}
            self.current = None  # from here on nothing is interrupted
            self._tell({"event": "end", "job": order["job"], **outcome})
            if self.is_over:
                return

    def _listen(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            if "job" in order:
                self.jobs.put(order)
            else:  # at the next step: a signal in the middle of an import would leave half a module behind
                self.shall_stop.add(order["stop"])
        self.is_over = True
        self.jobs.put(None)
        _thread.interrupt_main()
        time.sleep(GRACE_S)
        os._exit(1)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self._check()

    def _check(self) -> None:
        if self.current is not None and (self.is_over or self.current in self.shall_stop):
            raise KeyboardInterrupt(signal.SIGINT)

    def _step(self, stage: str, step: int, total: int, info: dict[str, Any]) -> None:
        """Report a step, those between the first and the last of a stage not too often."""
        self._check()  # what a signal raises inside a callback of C code is dropped there
        now = time.monotonic()
        if not info and 0 < step < total and self.told[0] == stage and now - self.told[1] < EVERY_S:
            return
        self.told = (stage, now)
        self._tell({"event": "step", "job": self.current, "stage": stage, "step": step, "total": total, "info": info})

    def _tell(self, facts: dict[str, Any]) -> None:
        try:
            self.out.write(json.dumps(facts) + "\n")
            self.out.flush()
        except OSError:  # nobody listens any more
            os._exit(1)


if __name__ == "__main__":
    main()
