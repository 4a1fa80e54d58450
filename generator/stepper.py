"""A step of training: as it is written, or recorded once for each shape and replayed as a CUDA graph.

A small model's step is thousands of short kernels; launching them from Python takes longer than running them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from .ranks import ALONE, Ranks

WARM_STEPS = 3  # before a recording, which must find everything compiled and allocated


def autocast(device: torch.device, bf16: bool) -> AbstractContextManager:
    """Return the context that computes in bf16 where that is asked for.

    On CUDA without a cache: weights that were cast before a recording must not be taken for those of its replays.
    """
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=device.type != "cuda") if bf16 else nullcontext()


def cpu_multiplies_bf16() -> bool:
    """Tell whether the processor has units for products in bf16, without which these are slower than in float32."""
    units = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, unit, bool)() for unit in units)


class Stepper:
    """Loss, gradient, its mean over the ranks, clipping, optimizers and what follows.

    With `graphed`, on CUDA: whatever the loss reads must come in its tensors, and its random numbers from the device.
    One process alone records: among several the exchange of gradients stands in the middle of a step.
    """

    def __init__(
        self,
        loss: Callable[..., Tensor],
        model: nn.Module,
        optimizers: list[torch.optim.Optimizer],
        graphed: bool = False,
        after_step: Callable[[], None] = lambda: None,
        ranks: Ranks = ALONE,
    ):
        self.loss, self.model, self.optimizers, self.ranks = loss, model, optimizers, ranks
        self.graphed, self.after_step = graphed and ranks.count == 1, after_step
        self.recordings: dict[tuple, Recording] = {}
        device = next(model.parameters()).device
        for group in self._groups():
            if self.graphed:
                group["lr"] = torch.tensor(float(group["lr"]), device=device)
            if "capturable" in group:  # a state that was saved elsewhere may say otherwise
                group["capturable"] = self.graphed

    def step(self, tensors: dict[str, Tensor], lr: float, autocast: AbstractContextManager) -> Tensor:
        """Take a step and return its loss, which a later step may overwrite."""
        for group in self._groups():
            if self.graphed:
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
        if not self.graphed:
            return self._step(tensors, autocast)
        key = tuple((name, tuple(value.shape)) for name, value in tensors.items())
        if key not in self.recordings:
            self.recordings[key] = Recording(lambda held: self._step(held, autocast), tensors)
        return self.recordings[key].replay(tensors)

    def _groups(self) -> list[dict]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def _step(self, tensors: dict[str, Tensor], autocast: AbstractContextManager) -> Tensor:
        with autocast:
            value = self.loss(**tensors)
        self.model.zero_grad()
        value.backward()
        self.ranks.mean_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.after_step()
        return value.detach()


class Recording:
    """A function of tensors on CUDA as a graph of kernels, with places for what goes in."""

    def __init__(self, function: Callable[[dict[str, Tensor]], Tensor], tensors: dict[str, Tensor]):
        self.held = {name: value.clone() for name, value in tensors.items()}
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_STEPS):
                function(self.held)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.result = function(self.held)

    def replay(self, tensors: dict[str, Tensor]) -> Tensor:
        """Run the kernels on other tensors of the same shapes."""
        for name, value in tensors.items():
            self.held[name].copy_(value)
        self.graph.replay()
        return self.result
