"""Carry out one job in this process, and tell of it as JSON: what the pool's processes and Ray's workers both do."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from vid2three.config import MakeConfig, ReconstructConfig, VideoMakeConfig, overlay
from vid2three.errors import is_users_mistake, sentence
from vid2three.run import Progress


def carry_out(task: dict[str, Any], output: Path | str, progress: Progress) -> dict[str, Any]:
    """Make the asset of a task (see Job.task) in a folder, which an earlier run may have begun or finished.

    Returns {"state": "done"} or {"state": "failed", "reason", "traceback"}. KeyboardInterrupt goes through.
    """
    try:
        _walk(task, output, progress)
    except Exception as error:
        if is_users_mistake(error):
            return {"state": "failed", "reason": sentence(error)}
        reason = f"{type(error).__name__}: {sentence(error)}"
        return {"state": "failed", "reason": reason, "traceback": traceback.format_exc()}
    return {"state": "done"}


def _walk(task: dict[str, Any], output: Path | str, progress: Progress) -> None:
    import vid2three

    options: dict[str, Any] = {"seed": task["seed"], "overwrite": True, "progress": progress, **task["extra"]}
    if task["command"] == "make":
        default = VideoMakeConfig() if "generator" in task["config"] else MakeConfig()
        vid2three.make(task["what"], output, overlay(default, task["config"]), **options)
    else:
        vid2three.reconstruct(task["what"], output, overlay(ReconstructConfig(), task["config"]), **options)
