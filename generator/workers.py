"""Who makes clips and assets: processes of this machine, or the workers of a Ray cluster. The owner of ray.

Both kinds of pool have the same methods; on processors of one kind what they return is the same to the last bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from multiprocessing.pool import Pool
from typing import Any, Literal

RETRIES = 5  # of a task whose worker or machine was lost; an error inside a task is not retried
AHEAD = 2  # tasks a processor that are asked for before their results are wanted, which bounds Ray's store of results


@dataclass(frozen=True)
class Workers:
    """How many, and where."""

    num: int = 1
    """Processes; of a cluster that is running already, all its processors are used."""
    engine: Literal["pool", "ray"] = "pool"
    ray_address: str = ""
    """Of a running cluster; empty starts Ray on this machine."""

    def check(self) -> None:
        """Raise ImportError, with the cure, where ray is asked for and not installed."""
        if self.engine == "ray":
            _import_ray()

    def pool(self) -> Pool | RayPool:
        """Start them."""
        return RayPool(self) if self.engine == "ray" else get_context("spawn").Pool(self.num)


class RayPool:
    """What multiprocessing.Pool is to one machine. Results come back through Ray: no disk need be shared.

    A worker that is lost costs the time of its task, which Ray runs again elsewhere.
    """

    def __init__(self, workers: Workers):
        ray = _import_ray()
        if not ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
            where = {"address": workers.ray_address} if workers.ray_address else {"num_cpus": workers.num}
            ray.init(**where, include_dashboard=False, log_to_driver=False)
        self.ahead = AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1)

    def imap(self, function: Callable[[Any], Any], arguments: Iterable) -> Iterator[Any]:
        """Yield what the function returns, in order; it travels to the workers once, with all that it holds."""
        ray = _import_ray()
        coming = self._submit(function, arguments)
        waiting = list(islice(coming, self.ahead))
        while waiting:
            result = ray.get(waiting.pop(0))
            waiting += islice(coming, 1)
            yield result

    def imap_unordered(self, function: Callable[[Any], Any], arguments: Iterable) -> Iterator[Any]:
        """Yield what the function returns as it comes."""
        ray = _import_ray()
        coming = self._submit(function, arguments)
        waiting = list(islice(coming, self.ahead))
        while waiting:
            (done,), waiting = ray.wait(waiting, num_returns=1)
            waiting += islice(coming, 1)
            yield ray.get(done)

    def outcomes(
        self, function: Callable[[Any], Any], arguments: Iterable, retries: int = RETRIES
    ) -> Iterator[tuple[int, Any, Exception | None]]:
        """Yield the number of an argument with what the function returns, or with the reason why nothing came back.

        As they come. A worker or machine that is lost more than `retries` times at one argument costs that one alone.
        """
        ray = _import_ray()
        coming = enumerate(self._submit(function, arguments, retries))
        waiting = {result: number for number, result in islice(coming, self.ahead)}
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            number = waiting.pop(done)
            waiting |= {result: number for number, result in islice(coming, 1)}
            try:
                yield number, ray.get(done), None
            except ray.exceptions.RayError as error:
                yield number, None, error

    def close(self) -> None:
        """Do nothing: Ray ends with the process, a cluster goes on."""

    @staticmethod
    def _submit(function: Callable[[Any], Any], arguments: Iterable, retries: int = RETRIES) -> Iterator[Any]:
        ray = _import_ray()

        @ray.remote(max_retries=retries)
        def call(function: Callable[[Any], Any], argument: Any) -> Any:
            return function(argument)

        held = ray.put(function)
        return (call.remote(held, argument) for argument in arguments)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise ImportError("engine: ray needs Ray: pip install 'vid2three[ray]'.") from None
    return ray
