"""The processes that train one model together: which of them this is, and what they tell each other.

`accelerate launch` (or torchrun) starts the processes, numbers them and gives each its device. Started any other way
there is one process, and nothing here does anything. The owner of accelerate.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

PATIENCE = timedelta(hours=6)  # for the first rank's work: rendering clips for the others
CPU = torch.device("cpu")
T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process's place among `count`. Every rank must call the same methods in the same order."""

    device: torch.device = CPU
    rank: int = 0
    count: int = 1
    local_rank: int = 0
    """Number of this process on its machine."""
    numbers: Any = None
    """The group (gloo) that passes what lies in ordinary memory, so that no rank waits for a GPU."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes what there is to write."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return every count-th item: this rank's own."""
        return items[self.rank :: self.count]

    def mean_gradients(self, model: nn.Module) -> None:
        """Replace each gradient by its mean over the ranks, all of them in one exchange."""
        if self.count == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        for p in parameters:
            if p.grad is None:  # unused in this rank's batch, perhaps not in another's
                p.grad = torch.zeros_like(p)
        gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = flat.div_(self.count).split([gradient.numel() for gradient in gradients])
        torch._foreach_copy_(gradients, [part.view_as(gradient) for part, gradient in zip(parts, gradients)])

    def mean(self, number: float) -> float:
        """Return the mean of all ranks' numbers."""
        if self.count == 1:
            return number
        held = torch.tensor([number], dtype=torch.float64)
        dist.all_reduce(held, group=self.numbers)
        return float(held) / self.count

    def first(self, thing: T) -> T:
        """Return what the first rank holds; tensors must lie in ordinary memory."""
        if self.count == 1:
            return thing
        held = [thing]
        dist.broadcast_object_list(held, src=0, group=self.numbers)
        return held[0]

    def first_number(self, number: float) -> float:
        """Return the first rank's number, at the cost of a message."""
        if self.count == 1:
            return number
        held = torch.tensor([number], dtype=torch.float64)
        dist.broadcast(held, src=0, group=self.numbers)
        return float(held)

    def align(self, model: nn.Module) -> None:
        """Give a model the first rank's parameters and buffers."""
        if self.count == 1:
            return
        with torch.no_grad():
            for value in model.state_dict().values():
                dist.broadcast(value, src=0)

    def wait(self) -> None:
        """Wait until all ranks are here."""
        if self.count > 1:
            dist.barrier(group=self.numbers)


ALONE = Ranks()


def join(device: str = "auto") -> Ranks:
    """Find this process's place and device ("auto", "cpu" or "cuda").

    Raises ImportError where there are several processes and no accelerate, ValueError where GPUs are too few.
    """
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return Ranks(torch.device("cuda" if on_gpu else "cpu"))
    try:
        from accelerate import PartialState
    except ImportError:
        raise ImportError("Training by several processes needs accelerate: pip install 'vid2three[train]'.") from None
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if on_gpu and torch.cuda.device_count() < here:
        raise ValueError(f"{here} processes were started on {torch.cuda.device_count()} GPUs: start one for each.")
    state = PartialState(cpu=not on_gpu)
    atexit.register(dist.destroy_process_group)
    return Ranks(
        device=torch.device("cuda", state.local_process_index) if on_gpu else CPU,
        rank=state.process_index,
        count=state.num_processes,
        local_rank=state.local_process_index,
        numbers=dist.new_group(backend="gloo", timeout=PATIENCE),
    )
