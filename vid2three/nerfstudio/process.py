"""Run a command in another environment: line by line, with a log, and never outliving us."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

PATIENCE_S = 10.0  # that a process and its children have to end before they are killed


def run(
    command: Sequence[str | os.PathLike],
    folder: Path,
    variables: dict[str, str],
    log: Path,
    on_line: Callable[[str], Any] = lambda line: None,
) -> None:
    """Run a command in a folder; its output goes to the end of `log` and, line by line, to `on_line`.

    Whatever interrupts us (Ctrl-C, SIGTERM, an error) ends it and its children first. Raises ValueError with its last
    words where it fails.
    """
    last = ""
    group: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file, _terminable():
        file.write(f"$ {shlex.join(map(str, command))}\n")
        file.flush()
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            **group,
        )
        try:
            assert process.stdout is not None  # for the type checker: it is a pipe
            for line in process.stdout:
                file.write(line)
                file.flush()
                last = line.strip() or last
                on_line(line.rstrip())
            code = process.wait()
        except BaseException:
            _end(process)
            raise
    if code != 0:
        name = Path(command[0]).name
        raise ValueError(f"{name} stopped with exit code {code} ({last or 'no word'}); its output is in {log}.")


def _end(process: subprocess.Popen) -> None:
    """End a process and its children: asked first, then killed."""
    for forced in (False, True):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "nt":
                process.kill() if forced else process.terminate()
            else:
                os.killpg(process.pid, signal.SIGKILL if forced else signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that a child is not left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
