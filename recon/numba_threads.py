"""Numba's threads beside torch's: both are OpenMP's on Linux, where Numba's start sets the number of torch's as well.

A result that depends on torch's number of threads would change from the first run in a process to the second.
"""

from __future__ import annotations

import numba
import torch


def start() -> None:
    """Start Numba's threads and leave torch its number; modules with parallel kernels call it when imported."""
    known = torch.get_num_threads()
    numba.get_num_threads()  # starts them
    torch.set_num_threads(known)
