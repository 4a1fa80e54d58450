"""How many threads the libraries use. They read it from the environment when they are loaded."""

from __future__ import annotations

import os
import sys

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limit_threads(threads: int) -> None:
    """Let libraries that are loaded after this use so many threads, and torch and Numba also where they are there.

    Numba that is there cannot get more threads than it began with, and compiles nothing more once its variable has
    changed: that one is left then.
    """
    numba, torch = sys.modules.get("numba"), sys.modules.get("torch")
    os.environ.update({name: str(threads) for name in VARIABLES if numba is None or not name.startswith("NUMBA")})
    if numba is not None:
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    if torch is not None:
        torch.set_num_threads(threads)


def follow_openmp() -> None:
    """Let Numba, unless it is there, take the number of threads that the user has given OpenMP's libraries."""
    if os.environ.get("OMP_NUM_THREADS", "").isdigit() and "numba" not in sys.modules:
        os.environ.setdefault("NUMBA_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
