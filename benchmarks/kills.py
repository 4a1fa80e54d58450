"""Kill -9 at random moments: `make` is killed, started again, killed again ... and must come to the same bytes.

    python benchmarks/kills.py --kills 100 --seed 1 --work /tmp/kills

One run goes on undisturbed and is timed. Then runs in folders of their own are killed, with all that they started, at
moments that were drawn beforehand: some uniform in the time of the undisturbed run, start included, some at the moment
when a certain file is being written. Each is started again by the same command until it has had its kills, and is left
to finish. Every file is compared; of asset.json all but "timings", which hold seconds and memory. A line of JSON tells
of each kill, the last lines say in which stages they fell. Ends with 1 where anything differs or is left over.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ".vid2three.lock"
PARTIAL = ".partial-"
START = "start"  # what comes before the first stage: loading, checking, opening the folder
AIMED_SHARE = 0.4
LATE_S = 0.003  # longest wait of an aimed kill once its file is there
PATIENCE_S = 1200  # for anything


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds into a stage, or after a file of it began to be written."""

    stage: str
    order: float
    """Of the moment in the undisturbed run, in seconds."""
    seconds: float = 0.0
    file: str = ""


@dataclass
class Walk:
    """A running `make`, and what it has told so far."""

    process: subprocess.Popen
    began: float
    told: list[tuple[float, dict]] = field(default_factory=list)

    def entered(self) -> dict[str, float]:
        """Return when each stage that is not skipped began, in seconds from the start."""
        first: dict[str, float] = {}
        for when, line in list(self.told):
            if not line.get("skipped") and line.get("stage") not in (None, "prompt"):
                first.setdefault(line["stage"], when)
        return first

    def stage(self) -> str:
        """Return the stage that is under way, or the last one that was."""
        return list(self.entered())[-1] if self.entered() else START

    def goes_on(self) -> bool:
        return self.process.poll() is None

    def seconds(self) -> float:
        return time.monotonic() - self.began


def start(command: list[str], errors: Path) -> Walk:
    """Start a command in a process group of its own; a thread reads what it tells."""
    with errors.open("ab") as file:
        pipes = {"stdout": subprocess.PIPE, "stderr": file, "text": True, "cwd": ROOT}
        walk = Walk(subprocess.Popen(command, start_new_session=True, **pipes), time.monotonic())

    def listen() -> None:
        assert walk.process.stdout is not None
        for line in walk.process.stdout:
            with contextlib.suppress(ValueError):  # half a line, of a process that is dead
                walk.told.append((walk.seconds(), json.loads(line)))

    threading.Thread(target=listen, daemon=True).start()
    return walk


def finish(walk: Walk, errors: Path) -> None:
    code = walk.process.wait(PATIENCE_S)
    if code != 0:
        raise SystemExit(f"The command ended with {code}:\n{errors.read_text()[-3000:]}")


def kill(walk: Walk) -> None:
    """End a process and all that it started, without a warning."""
    if hasattr(os, "killpg"):
        os.killpg(walk.process.pid, signal.SIGKILL)
    else:
        walk.process.kill()
    walk.process.wait()


def moments(num: int, timeline: dict[str, float], total: float, files: dict[str, str], rng: random.Random) -> list:
    """Draw moments, in their order in a run: uniform ones, and some at the writing of a file of a stage."""
    begins = {START: 0.0, **timeline}
    drawn = []
    for _ in range(num):
        if rng.random() < AIMED_SHARE:
            stage = rng.choice(sorted(set(files.values())))
            file = rng.choice(sorted(name for name in files if files[name] == stage))
            drawn.append(Moment(stage, begins[stage], rng.uniform(0, LATE_S), file))
        else:
            when = rng.uniform(0, total)
            stage = [name for name, begin in begins.items() if begin <= when][-1]
            drawn.append(Moment(stage, when, when - begins[stage]))
    return sorted(drawn, key=lambda moment: moment.order)


def wait_for(walk: Walk, moment: Moment, folder: Path) -> bool:
    """Return at a moment, or when it is past; say whether the walk still goes on."""
    names = list(walk.entered())
    while walk.goes_on() and moment.stage != START and not names:
        time.sleep(0.002)
        names = list(walk.entered())
    while walk.goes_on() and moment.stage not in (START, *walk.entered()) and not _is_past(walk, moment):
        time.sleep(0.002)
    if moment.file:
        partial = folder / moment.file
        partial = partial if moment.file == LOCK else partial.with_name(PARTIAL + partial.name)
        stage = walk.stage()
        while walk.goes_on() and not partial.exists() and walk.stage() in (stage, moment.stage):
            time.sleep(0.0005)
        time.sleep(moment.seconds)
    else:
        until = walk.entered().get(moment.stage, 0.0) + moment.seconds
        while walk.goes_on() and walk.seconds() < until:
            time.sleep(0.002)
    return walk.goes_on()


def _is_past(walk: Walk, moment: Moment) -> bool:
    """Say whether a stage was skipped, done before an earlier kill: then any moment after it will do."""
    return any(line.get("stage") == moment.stage and line.get("skipped") for _, line in list(walk.told))


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a run folder; of asset.json all but what holds times."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    manifest = json.loads(found["asset.json"])
    del manifest["timings"]
    return {**found, "asset.json": json.dumps(manifest).encode()}


def differences(first: dict[str, bytes], second: dict[str, bytes]) -> list[str]:
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--per-run", type=int, default=15, help="kills that a run takes before it may finish")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompt", default="a red mug with a blue handle")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--config", type=Path, help="YAML file of further settings")
    parser.add_argument("--work", type=Path, help="folder for the runs; a temporary one unless given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        raise SystemExit(0 if campaign(options, work) else 1)


def campaign(options: argparse.Namespace, work: Path) -> bool:
    """Run it all; say whether every run came to the same bytes."""
    command = [sys.executable, "-m", "vid2three.cli", "make", options.prompt, "--preset", options.preset]
    command += [
        "--threads",
        "1",
        "--progress",
        "json",
        *(["--config", str(options.config.resolve())] if options.config else []),
    ]
    errors, rng, began = work / "errors.txt", random.Random(options.seed), time.monotonic()
    for place in work.glob("run-*"):
        shutil.rmtree(place)
    finish(start([*command, "-o", str(work / "run-warm")], errors), errors)  # compiles kernels, so its times are none
    undisturbed = work / "run-undisturbed"
    walk = start([*command, "-o", str(undisturbed)], errors)
    finish(walk, errors)
    total, timeline, expected = walk.seconds(), walk.entered(), contents(undisturbed)
    told = json.loads((undisturbed / "asset.json").read_text())
    files = {name: stage for stage, record in told["stages"].items() for name in record["files"] if stage in timeline}
    files |= {LOCK: START, "asset.json": START}
    print(json.dumps({"undisturbed_s": round(total, 1), "stages_at_s": _rounded(timeline)}), flush=True)
    tally: dict[str, Counter] = {"uniform": Counter(), "aimed": Counter(), "with a half file": Counter()}
    counted = num_runs = num_bad = 0
    while counted < options.kills:
        num_runs += 1
        folder = work / f"run-{num_runs}"
        for moment in moments(min(options.per_run, options.kills - counted), timeline, total, files, rng):
            walk = start([*command, "-o", str(folder)], errors)
            if not wait_for(walk, moment, folder):
                finish(walk, errors)
                break  # it was done before its moment came
            kill(walk)
            counted += 1
            half = sorted(path.name for path in folder.rglob(f"{PARTIAL}*"))
            aim, stage = "aimed" if moment.file else "uniform", walk.stage()
            tally[aim][stage] += 1
            tally["with a half file"][stage] += bool(half)
            line = {"run": num_runs, "kill": counted, "stage": stage, "at_s": round(walk.seconds(), 2), aim: True}
            print(json.dumps({**line, **({"at": moment.file} if moment.file else {}), "half": half}), flush=True)
        walk = start([*command, "-o", str(folder)], errors)
        finish(walk, errors)
        differ = differences(expected, contents(folder))
        num_bad += bool(differ)
        print(json.dumps({"run": num_runs, "files": len(expected), "differ": differ}), flush=True)
        if not differ:
            shutil.rmtree(folder)
    stages = [START, *timeline]
    print(f"{'stage':<12}" + "".join(f"{name:>18}" for name in tally))
    for stage in stages:
        print(f"{stage:<12}" + "".join(f"{tally[name][stage]:>18}" for name in tally))
    print(f"{'all':<12}" + "".join(f"{tally[name].total():>18}" for name in tally))
    minutes = (time.monotonic() - began) / 60
    print(f"{counted} kills in {num_runs} runs, {num_runs - num_bad} came to the same bytes; {minutes:.0f} minutes")
    return num_bad == 0


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 1) for key, value in values.items()}


if __name__ == "__main__":
    main()
