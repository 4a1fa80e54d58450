"""Numba's threads leave torch's alone, so that a second run in a process computes as the first did."""

import pytest

from threads_parts import told

FEW = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
SCRIPT = """
import torch
torch.zeros(100000).add_(1)
import numba, numpy as np
{ours}
@numba.njit(parallel=True)
def add(x):
    for i in numba.prange(len(x)):
        x[i] += 1
add(np.zeros(64))
print(torch.get_num_threads(), numba.threading_layer())
"""


def test_torch_keeps_its_number_of_threads(root):
    assert told(root, SCRIPT.format(ours="import recon.hull"), **FEW)[0] == "1"


def test_canary_without_our_modules_it_would_not(root):
    threads, layer = told(root, SCRIPT.format(ours=""), **FEW)
    if layer != "omp":
        pytest.skip(f"Numba's threads are {layer}'s here, not OpenMP's")
    assert threads == "2"


def test_every_module_with_parallel_kernels_starts_them_this_way(root):
    files = [path for package in ("generator", "recon", "vid2three") for path in (root / package).rglob("*.py")]
    parallel = [path for path in files if "parallel=True" in path.read_text("utf-8")]
    assert parallel
    assert [path.name for path in parallel if "numba_threads.start()" not in path.read_text("utf-8")] == []
