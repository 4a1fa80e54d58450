"""The optimizers of a phase, and the clock that sets their learning rate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .config import PhaseConfig


@dataclass
class Clock:
    """Minutes and steps that a phase has used, over all its resumptions."""

    phase: PhaseConfig
    minutes: float = 0.0
    step: int = 0
    resumed_at: int = 0

    def learning_rate(self) -> float:
        left = 1 - self.minutes / self.phase.minutes
        decay = min(1.0, left / self.phase.decay_share) if self.phase.decay_share > 0 else 1.0
        warm = min(1.0, (self.step - self.resumed_at + 1) / self.phase.warmup)
        return self.phase.lr * warm * max(decay, 0.0)

    @property
    def is_over(self) -> bool:
        return self.minutes >= self.phase.minutes

    def resume(self, state: dict, optimizers: list[torch.optim.Optimizer]) -> None:
        """Take up the minutes and steps of a saved state and, where there is more to do, its optimizers'."""
        self.minutes, self.step = state["minutes"], state["step"]
        self.resumed_at = self.step
        if not self.is_over:
            for optimizer, known in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(known)


def make_optimizers(model: nn.Module, phase: PhaseConfig) -> list[torch.optim.Optimizer]:
    """AdamW without weight decay on vectors; where the phase asks for it, Muon for the matrices of the blocks.

    Muon: Jordan et al. 2024, with the learning rate scaled to AdamW's step size as in arXiv:2502.16982.
    """
    inner = set()
    if phase.optimizer == "muon":
        inner = {
            p for name, p in model.named_parameters() if "blocks." in name and name.endswith("weight") and p.ndim == 2
        }
    others = [p for p in model.parameters() if p not in inner]
    groups = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": 0.01},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=phase.lr, betas=(0.9, 0.97), fused=True)]
    if inner:
        matrices = [p for p in model.parameters() if p in inner]
        muon = torch.optim.Muon(matrices, lr=phase.lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
        optimizers.append(muon)
    return optimizers
