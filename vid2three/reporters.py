"""What the command line says while a walk goes on: nothing, bars, or a line of JSON a step, and what came of it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from vid2three.run import Run

Kind = Literal["auto", "bar", "json", "none"]
SUMMARY = ("mesh.glb", "splats.ply", "orbit.mp4", "turntable.mp4", "preview.png", "viewer.html", "report.html")
DOING = {
    "check": "Checking the list",
    "batch": "Making assets",
    "prompt": "Read the prompt",
    "caption": "Writing the caption",
    "generate": "Generating the orbit clip",
    "frames": "Choosing frames",
    "masks": "Cutting out the subject",
    "poses": "Finding the cameras",
    "views": "Preparing the pictures",
    "verdict": "Checking that the frames agree",
    "surface": "Fitting the surface",
    "nerfacto": "Fitting with nerfacto",
    "fit": "Fitting the splats",
    "discs": "Fitting flat splats",
    "mesh": "Making the mesh",
    "export": "Writing and checking further files",
    "show": "Drawing preview and turntable",
    "viewer": "Writing the viewer",
    "report": "Writing the report",
}


class Reporter:
    """Says nothing while a walk goes on but its notes, and what came of it at the end.

    Quiet, it says errors alone; verbose, also what each stage took. With a `stop_signal` the next step raises
    KeyboardInterrupt.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.stop_signal: int | None = None

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, stage: str, step: int, total: int, info: dict[str, Any]) -> None:
        if self.stop_signal is not None:
            raise KeyboardInterrupt(self.stop_signal)
        self.step(stage, step, total, info)

    def step(self, stage: str, step: int, total: int, info: dict[str, Any]) -> None:
        """Show one step of a stage."""
        if self.quiet:
            return
        about = f"{info['asset']}: " if "asset" in info else ""
        for note in info.get("notes", ()):
            self.say(f"Note: {about}{note}")
        if "reason" in info:
            self.say(f"{about}{info['state']}: {info['reason']}")
        if self.verbose and ("seconds" in info or info.get("skipped")):
            self.say(message(stage, step, total, info))

    def say(self, line: str) -> None:
        """Write a line that is not the result."""
        _write(sys.stderr, line)

    def finish(self, run: Run) -> None:
        """Say what came of a run."""
        facts = {key: run.manifest[key] for key in ("timings", "scores", "files")}
        self.end(summary(run), {"done": str(run.folder), **facts})

    def end(self, words: str, facts: dict[str, Any]) -> None:
        """Say what came of it all, in words or as JSON."""
        if not self.quiet:
            _write(sys.stdout, words)

    def fail(self, sentence: str) -> None:
        """Say why there is no result."""
        _write(sys.stderr, sentence)


class JsonReporter(Reporter):
    """Writes a line of JSON for every step to stdout, and one for the result; quiet, the last alone.

    A step: {"stage", "step", "total", "message", ...}. The last line: {"done": FOLDER, "timings", "scores", "files"} or
    {"error": SENTENCE}.
    """

    def step(self, stage: str, step: int, total: int, info: dict[str, Any]) -> None:
        if not self.quiet:
            told = {"stage": stage, "step": step, "total": total, "message": message(stage, step, total, info), **info}
            _write(sys.stdout, json.dumps(told))

    def end(self, words: str, facts: dict[str, Any]) -> None:
        _write(sys.stdout, json.dumps(facts))

    def fail(self, sentence: str) -> None:
        _write(sys.stdout, json.dumps({"error": sentence.removeprefix("vid2three: ")}))
        super().fail(sentence)


class BarReporter(Reporter):
    """Draws one bar a stage on the terminal."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        super().__init__(quiet=quiet, verbose=verbose)
        columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True))
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Reporter:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        self._bars.console.print(line, markup=False, highlight=False)

    def step(self, stage: str, step: int, total: int, info: dict[str, Any]) -> None:
        super().step(stage, step, total, info)
        if stage in ("prompt", "log"):
            return
        if "asset" in info and stage != "batch":  # one bar for each process, whatever it is at
            info = {"doing": f"{info['asset']}: {DOING.get(stage, stage)}", "worker": info["worker"]}
            stage = f"worker {info['worker'] + 1}"
        elif "asset" in info:
            info = {"doing": f"{info['asset']}: {info.get('verdict', info['state'])}"}
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, note="")
        note = (
            "done before" if info.get("skipped") else f"{info['psnr']:.1f} dB" if "psnr" in info else info.get("doing")
        )
        if "seconds" in info:  # the end of a stage: keep the total that it counted in
            total = self._bars.tasks[self._tasks[stage]].total or total
            step = total
        self._bars.update(self._tasks[stage], completed=step, total=total)
        if note is not None:
            self._bars.update(self._tasks[stage], note=note)

    def end(self, words: str, facts: dict[str, Any]) -> None:
        self._bars.stop()
        super().end(words, facts)


def reporter(kind: Kind, *, quiet: bool = False, verbose: bool = False) -> Reporter:
    """Return what reports in a way; auto takes bars on a terminal and nothing on a pipe."""
    if kind == "auto" or (kind == "bar" and quiet):
        kind = "bar" if sys.stderr.isatty() and not quiet else "none"
    kinds: dict[str, type[Reporter]] = {"bar": BarReporter, "json": JsonReporter, "none": Reporter}
    return kinds[kind](quiet=quiet, verbose=verbose)


def message(stage: str, step: int, total: int, info: dict[str, Any]) -> str:
    """Return one step of a stage in words."""
    doing = DOING.get(stage, stage.capitalize())
    if "asset" in info:
        doing = f"{info['asset']}: {doing}"
    if info.get("skipped"):
        return f"{doing}: done before"
    if "seconds" in info:
        return f"{doing}: {info['seconds']:.1f} s"
    if info.get("notes"):
        return f"{doing}: {' '.join(info['notes'])}"
    parts = [f"{step} of {total}"] if total > 1 else []
    parts += [str(info["doing"])] if info.get("doing") else []
    parts += [f"{info['psnr']:.1f} dB"] if "psnr" in info else []
    return f"{doing}: {', '.join(parts)}" if parts else doing


def summary(run: Run) -> str:
    """Return what came of a run: its files, and what they cost."""
    timings, files = run.manifest["timings"], run.manifest["files"]
    shown = [name for name in SUMMARY if name in files]
    stages = ", ".join(f"{name} {timings[name]:.1f} s" for name in run.manifest["stages"])
    peak = f", peak memory {timings['peak_memory_mb']} MiB" if timings["peak_memory_mb"] else ""
    folder = os.fsencode(run.folder).decode("utf-8", "replace")
    lines = [f"{folder}/", *(f"  {name:<14} {files[name]['bytes'] / 1024:9,.0f} KiB" for name in shown)]
    return "\n".join([*lines, f"  {stages}; {timings['total']:.1f} s in all{peak}"])


def _write(stream: Any, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()
