"""Ctrl-C and SIGTERM: a walk stops, its folder stays good to go on with, and the user is told how."""

from __future__ import annotations

import contextlib
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from vid2three.reporters import Reporter

RESUMABLE = ("make", "generate", "reconstruct", "train", "batch")
SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")  # SIGBREAK is Windows' own


@contextlib.contextmanager
def stoppable(report: Reporter) -> Iterator[None]:
    """Turn the signals that ask a process to stop into KeyboardInterrupt(number), here or at the next step.

    An exception that a signal raises inside a callback of C code is dropped there, so the reporter is told too.
    """
    if threading.current_thread() is not threading.main_thread():  # signals belong to the main thread
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        report.stop_signal = number
        raise KeyboardInterrupt(number)

    before = {}
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup's wish is kept
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped(argv: list[str]) -> str:
    """Return the sentence for a command that was stopped, with the command that goes on."""
    if not argv or argv[0] not in RESUMABLE:
        return "Stopped."
    words = ["vid2three", *argv]
    line = subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
    return f"Stopped. What is finished is kept; the same command goes on from there: {line}"
