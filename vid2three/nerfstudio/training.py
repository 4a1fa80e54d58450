"""One ns-train in a run folder: what it is told, how far it came, and where it goes on.

All of it lies in nerfstudio/METHOD/KEY/ of the run folder, and every command runs in the run folder with relative
paths, so a run can be moved. The key stands for settings and pictures: another training never goes on from this one.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vid2three.nerfstudio.environment import Environment
from vid2three.nerfstudio.process import run

FOLDER = "nerfstudio"  # inside a run folder
LOG = "output.txt"
STEP = re.compile(r"(\d+) \(\d+\.\d+%\)")  # of nerfstudio's table: "120 (1.71%)  12.3 ms ..."
MIN_SAVES = 20  # checkpoints of a whole training, at least
MIN_DETAIL_PX = 256  # splatfacto's first pictures are halved no further than to this


@dataclass(frozen=True)
class Training:
    """What is trained."""

    method: Literal["splatfacto", "nerfacto"]
    key: str
    iterations: int
    options: tuple[str, ...]
    """Arguments of ns-train for the method."""
    parser: tuple[str, ...]
    """Arguments of its data parser."""
    data: str = "."
    """What it is trained on, from the run folder."""
    seed: int = 0

    @property
    def folder(self) -> Path:
        """Where it lies, from the run folder."""
        return Path(FOLDER, self.method, self.key)

    @property
    def config(self) -> Path:
        """What ns-export and ns-render want, from the run folder."""
        return self.folder / "config.yml"


def train(
    environment: Environment, run_folder: Path, training: Training, progress: Callable[[int, int, dict], None]
) -> str:
    """Train, or go on where an earlier call was stopped, and return the command as a line.

    The line is that of a training in one go. Raises ValueError where ns-train fails.
    """
    _drop_others(run_folder, training)
    done = steps_done(run_folder / training.folder)
    total = training.iterations
    progress(done, total, {})

    def watch(line: str) -> None:
        found = STEP.match(line)
        if found:
            progress(min(int(found[1]) + 1, total), total, {})

    if done < total:
        command = [environment.tool("ns-train"), *train_arguments(training, environment.cuda is not None, done)]
        log = run_folder / training.folder / LOG
        run(command, run_folder, environment.variables(), log, watch)
        done = steps_done(run_folder / training.folder)
        if done < total:
            raise ValueError(f"ns-train ended after {done} of {total} steps; the same command goes on. See {log}.")
    return " ".join(["ns-train", *train_arguments(training, environment.cuda is not None, 0)])


def train_arguments(training: Training, has_cuda: bool, done: int) -> list[str]:
    """Return the arguments of ns-train; nerfstudio counts the steps still to do, not the last one."""
    saves = max(training.iterations // MIN_SAVES, 1)
    common = {
        "data": training.data,
        "output-dir": ".",
        "experiment-name": FOLDER,
        "timestamp": training.key,
        "max-num-iterations": training.iterations - done,
        "steps-per-save": min(saves, 1000),
        **dict.fromkeys(("steps-per-eval-batch", "steps-per-eval-image", "steps-per-eval-all-images"), 0),
        "vis": "tensorboard",
        "logging.local-writer.max-log-size": 0,  # plain lines: no cursor that moves
        "machine.seed": training.seed % 2**32,
        **({} if has_cuda else {"machine.device-type": "cpu"}),
        **({"load-dir": (training.folder / "nerfstudio_models").as_posix()} if done else {}),
    }
    return [training.method, *flags(common), *training.options, "nerfstudio-data", *training.parser]


def splatfacto_options(iterations: int, sh_degree: int, longest_px: int, antialiased: bool) -> list[str]:
    """Return splatfacto's schedule, which is made for 30,000 steps, for as many as there are."""
    halvings = max(0, min(2, (longest_px // MIN_DETAIL_PX).bit_length() - 1))
    return flags(
        {
            "pipeline.model.sh-degree": sh_degree,
            "pipeline.model.sh-degree-interval": max(min(1000, iterations // 8), 1),
            "pipeline.model.warmup-length": min(500, iterations // 10),
            "pipeline.model.stop-split-at": min(15000, iterations // 2),
            "pipeline.model.num-downscales": halvings,
            "pipeline.model.resolution-schedule": max(min(3000, iterations // 10), 1),
            "pipeline.model.rasterize-mode": "antialiased" if antialiased else "classic",
            "pipeline.model.background-color": "random",
            "optimizers.means.scheduler.max-steps": iterations,
        }
    )


def nerfacto_options(iterations: int, span: tuple[float, float] | None) -> list[str]:
    """Return nerfacto's options: cameras as they are and, for a subject with masks, the span of the rays it lies in.

    What the background is where a picture is transparent changes from step to step, so that none of it is learnt.
    """
    values = {
        "pipeline.model.camera-optimizer.mode": "off",
        "optimizers.fields.scheduler.max-steps": iterations,
        "optimizers.proposal_networks.scheduler.max-steps": iterations,
    }
    if span is not None:
        values |= {
            "pipeline.model.background-color": "random",
            "pipeline.model.near-plane": round(span[0], 4),
            "pipeline.model.far-plane": round(span[1], 4),
            "pipeline.model.proposal-initial-sampler": "uniform",
            "pipeline.model.disable-scene-contraction": True,
        }
    return flags(values)


def parser_options(scale: float | None) -> list[str]:
    """Return the data parser's options: every picture is trained on.

    A subject with masks is put into the middle, at a scale of ours; scenes as nerfstudio does it.
    """
    values: dict[str, object] = {"eval-mode": "all"}
    if scale is not None:
        values |= {"center-method": "focus", "auto-scale-poses": False, "scale-factor": round(scale, 6)}
    return flags(values)


def flags(values: dict) -> list[str]:
    """Return settings as words of a command line."""
    return [word for key, value in values.items() for word in (f"--{key}", str(value))]


def steps_done(folder: Path) -> int:
    """Return how many steps the newest whole checkpoint of a training has behind it; torn ones are deleted."""
    steps = [0]
    for path in (folder / "nerfstudio_models").glob("step-*.ckpt"):
        if zipfile.is_zipfile(path):  # its directory stands at the end
            steps.append(int(path.stem.removeprefix("step-")) + 1)
        else:
            path.unlink()
    return max(steps)


def _drop_others(run_folder: Path, training: Training) -> None:
    """Delete trainings of the same method with other settings or pictures: their checkpoints are large."""
    for other in (run_folder / FOLDER / training.method).glob("*"):
        if other.is_dir() and other.name != training.key:
            shutil.rmtree(other)
