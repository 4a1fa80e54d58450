"""What a training leaves in its folder and goes on from: states, a log, the transformer with its average and clocks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .config import TrainConfig
from .dit import OrbitDiT
from .optimizers import Clock
from .weights import load_model, model_path


@dataclass
class DitRun:
    """The transformer, the average of its weights, and how far its phases are."""

    dit: OrbitDiT
    ema: OrbitDiT
    clocks: list[Clock]
    saved: dict | None
    """The state that it goes on from."""
    teacher: OrbitDiT | None = None
    """What holds it to what that knows."""

    @staticmethod
    def start(config: TrainConfig, device: torch.device, saved: dict | None) -> DitRun:
        """Return the transformer as it was left, as the weights to start from have it, or new."""
        c = config
        dit, ema = OrbitDiT(c.dit).to(device), OrbitDiT(c.dit).to(device).eval().requires_grad_(False)
        ema.load_state_dict(dit.state_dict())
        phases = [c.half_phase, c.dit_phase] if c.half_phase.minutes > 0 else [c.dit_phase]
        run = DitRun(dit, ema, [Clock(phase) for phase in phases], saved)
        if saved is not None:
            dit.load_state_dict(saved["dit"])
            ema.load_state_dict(saved["ema"])
            for clock, minutes, step in zip(run.clocks, saved["minutes"], saved["step"]):
                clock.minutes, clock.step = minutes, step
        elif c.resume_from:
            begun = load_model(model_path(c.resume_from))[1].state_dict()
            dit.load_state_dict(begun)
            ema.load_state_dict(begun)
        if c.teacher:
            run.teacher = load_model(model_path(c.teacher))[1].to(device).requires_grad_(False)
        return run

    @property
    def steps(self) -> int:
        """Over all phases."""
        return sum(clock.step for clock in self.clocks)

    def state(self, phase: int, optimizers: list[torch.optim.Optimizer]) -> dict[str, Any]:
        """Return what training goes on from."""
        return {
            "dit": self.dit.state_dict(),
            "ema": self.ema.state_dict(),
            "phase": phase,
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "minutes": [clock.minutes for clock in self.clocks],
            "step": [clock.step for clock in self.clocks],
        }


def add_line(path: Path, line: str) -> None:
    """Add a line to a file, which may end with half a line where a disk was full."""
    with path.open("ab+") as file:
        file.seek(max(file.tell() - 1, 0))
        is_whole = file.read(1) in (b"", b"\n")
        file.write(("" if is_whole else "\n").encode() + line.encode() + b"\n")


def save_state(path: Path, state: dict) -> None:
    """Write beside and rename, so that a crash leaves the last state whole."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def minutes_of(path: Path) -> float:
    """Return how long the phases of a state took; 0 where there is none."""
    minutes = torch.load(path, map_location="cpu", weights_only=True)["minutes"] if path.exists() else 0.0
    return round(sum(minutes) if isinstance(minutes, list) else minutes, 1)
