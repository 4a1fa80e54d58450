"""A vid2three process that tells its progress in lines of JSON; no line of this file needs Blender."""

import collections
import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

GRACE_S = 10.0  # from the wish to stop to the end by force
FEW_LINES = 20  # of stderr that are kept
VERSION_TIMEOUT_S = 60.0


class Job:
    """A running command. Two threads read it, so `read` never waits."""

    def __init__(self, command: list[str]) -> None:
        self._told: queue.SimpleQueue = queue.SimpleQueue()
        self._complaints: collections.deque = collections.deque(maxlen=FEW_LINES)
        self._asked_to_stop: float | None = None
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment(),
            **_group(),
        )
        self._stderr = threading.Thread(target=self._read_stderr, daemon=True)
        self._stderr.start()
        threading.Thread(target=self._read_stdout, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self) -> list[dict]:
        """Return what was told since the last call; the last dict has "done" or "error"."""
        if self._asked_to_stop is not None and time.monotonic() - self._asked_to_stop > GRACE_S:
            self._kill()
        told = []
        while not self._told.empty():
            told.append(self._told.get())
        return told

    def cancel(self) -> None:
        """Ask the process and its children to stop; `read` makes an end of them where they take too long."""
        if self._asked_to_stop is None:
            self._asked_to_stop = time.monotonic()
            self._terminate()

    def end(self, patience_s: float = 3.0) -> None:
        """Stop the process and its children, and wait until they are gone."""
        self.cancel()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()

    def _read_stdout(self) -> None:
        is_told = False
        for line in self._process.stdout:  # type: ignore[union-attr]
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict):
                is_told = is_told or "done" in told or "error" in told
                self._told.put(told)
        code = self._process.wait()
        self._stderr.join(timeout=5)
        if not is_told:
            last = self._complaints[-1] if self._complaints else f"vid2three ended with exit code {code}."
            self._told.put({"error": last})

    def _read_stderr(self) -> None:
        for line in self._process.stderr:  # type: ignore[union-attr]
            if line.strip():
                self._complaints.append(line.strip())

    def _terminate(self) -> None:
        if os.name == "nt":  # no console is shared, so there is no softer way; files are whole all the same
            self._kill()
        else:
            self._signal_group(signal.SIGTERM)

    def _kill(self) -> None:
        if os.name == "nt":
            if self._process.poll() is None:
                words = ["taskkill", "/PID", str(self.pid), "/T", "/F"]
                subprocess.run(words, capture_output=True, **_group())
        else:
            self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: int) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # gone since the line above
                os.killpg(self.pid, number)


def environment() -> dict[str, str]:
    """Return the variables for a program that is not Blender's: its Python must not look into Blender's."""
    mine = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONSTARTUP")}
    return {**mine, "PYTHONUTF8": "1"}


def find_program(asked: str) -> str:
    """Return the vid2three program: the file, or the one in the Python environment, that was asked for, or on the PATH.

    Raises FileNotFoundError with the cure.
    """
    if not asked:
        found = shutil.which("vid2three")
        if found is None:
            raise FileNotFoundError("vid2three is not on the PATH; set its program in the extension's preferences.")
        return found
    path = Path(asked)
    if path.is_dir():
        for inside in ("bin/vid2three", "Scripts/vid2three.exe", "vid2three", "vid2three.exe"):
            if (path / inside).is_file():
                return str(path / inside)
        raise FileNotFoundError(f"{path} holds no vid2three; choose the program, or its Python environment's folder.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; set vid2three's program in the extension's preferences.")
    return str(path)


def version(program: str) -> str:
    """Return what `vid2three --version` prints. Raises ValueError where the program is something else."""
    words = {"capture_output": True, "text": True, "timeout": VERSION_TIMEOUT_S, "env": environment()}
    try:
        answer = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, **words, **_group())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"{program} does not start ({error}); choose vid2three's program.") from None
    if answer.returncode != 0 or not answer.stdout.startswith("vid2three "):
        raise ValueError(f"{program} does not answer like vid2three; choose its program, or update it.")
    return answer.stdout.strip()


def _group() -> dict:
    """Return what gives a process a group of its own, and on Windows no window."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}  # type: ignore[attr-defined]
    return {"start_new_session": True}
