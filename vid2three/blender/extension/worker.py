"""The orders that wait and the one at work. A timer of Blender's reads its process, and imports what comes of it."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from .job import Job

INTERVAL_S = 0.2


@dataclasses.dataclass
class Task:
    """An asset to be made, and how it is imported."""

    title: str
    command: list[str]
    folder: Path
    options: dict
    """Of the operator vid2three.import_asset."""
    is_in_row: bool = False
    """It is placed beside the one that came before it."""


@dataclasses.dataclass
class Status:
    """What the panel shows. There is one of these, `status`, as there is one program at work at a time."""

    waiting: list[Task] = dataclasses.field(default_factory=list)
    task: Task | None = None
    job: Job | None = None
    message: str = ""
    share: float = 0.0
    """Of the stage at work."""
    errors: list[str] = dataclasses.field(default_factory=list)
    last_root: str = ""
    """Name of the asset's object that was imported last."""
    num_done: int = 0
    is_canceled: bool = False


status = Status()


def is_busy() -> bool:
    return status.task is not None or bool(status.waiting)


def add(tasks: list[Task]) -> None:
    """Let tasks be done one after another, once those before them are."""
    if not is_busy():
        status.errors, status.last_root, status.num_done, status.is_canceled = [], "", 0, False
    status.waiting += tasks
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0, persistent=True)


def cancel() -> None:
    """Stop the process and forget what waits; its folder stays, and the same order goes on from there."""
    status.waiting.clear()
    status.is_canceled = True
    if status.job is not None:
        status.message = "Stopping"
        status.job.cancel()


def wait() -> None:
    """Do all tasks before returning, for scripts: nobody else calls the timers of a Blender without a window."""
    while is_busy():
        tick()
        time.sleep(INTERVAL_S / 4)


def shut_down() -> None:
    """End the process and the timer, and forget everything."""
    global status
    status.waiting.clear()
    if status.job is not None:
        status.job.end()
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    status = Status()


def tick() -> float | None:
    """Read the process, start the next one, and return when to be called again; None where all is done."""
    if status.task is None and status.waiting:
        _start(status.waiting.pop(0))
    if status.job is not None:
        for told in status.job.read():
            _take(told)
    _redraw()
    return INTERVAL_S if is_busy() else None


def _start(task: Task) -> None:
    status.task, status.message, status.share = task, "Starting", 0.0
    parent = task.folder.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _end(f"{parent} cannot be made ({error.strerror}); choose another Folder.")
        return
    try:
        status.job = Job(task.command)
    except OSError as error:
        _end(f"{task.command[0]} does not start ({error.strerror}); choose vid2three's program in the preferences.")


def _take(told: dict) -> None:
    if "done" in told:
        _import()
    elif "error" in told:
        _end(None if status.is_canceled else str(told["error"]))
    else:
        status.message = str(told.get("message", status.message))
        step, total = told.get("step", 0), told.get("total", 1)
        if isinstance(step, (int, float)) and isinstance(total, (int, float)) and total > 0:
            status.share = min(max(step / total, 0.0), 1.0)


def _import() -> None:
    task = status.task
    assert task is not None
    options = {**task.options, "beside": status.last_root if task.is_in_row else ""}
    try:
        _in_window(lambda: bpy.ops.vid2three.import_asset("EXEC_DEFAULT", True, directory=str(task.folder), **options))
    except RuntimeError as error:  # how Blender hands on what an operator reports
        _end(str(error).removeprefix("Error: ").strip())
        return
    status.num_done += 1
    status.last_root = bpy.context.scene.vid2three.last_root
    _end(None)


def _end(error: str | None) -> None:
    if error is not None:
        status.errors.append(error)
    status.task, status.job, status.message, status.share = None, None, "", 0.0


def _in_window(call: Callable[[], object]) -> None:
    """Call an operator from the timer, which has no window of its own."""
    windows = bpy.context.window_manager.windows
    if bpy.context.window is None and len(windows):
        with bpy.context.temp_override(window=windows[0]):
            call()
    else:
        call()


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
