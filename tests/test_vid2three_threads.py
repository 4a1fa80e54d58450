"""Threads that the user asks for, whether the libraries are there yet or not."""

import numba
import pytest

from threads_parts import told

LIBRARIES = "import numba, torch; numba.get_num_threads(); torch.set_num_threads(2)"
COMPILE = """
import numba, numpy as np, torch
@numba.njit(parallel=True)
def add(x):
    for i in numba.prange(len(x)):
        x[i] += 1
add(np.zeros(64))
print(numba.get_num_threads(), torch.get_num_threads())
"""


def counted(root, *lines: str, **environment: str) -> list[str]:
    return told(root, "\n".join(["import os", *lines, COMPILE]), **environment)


@pytest.mark.parametrize("before", ["", LIBRARIES])
def test_all_libraries_take_the_threads_that_are_asked_for(root, before):
    lines = [before, "from vid2three.threads import limit_threads", "limit_threads(1)"]
    assert counted(root, *lines, NUMBA_NUM_THREADS="2") == ["1", "1"]


def test_more_than_numba_began_with_are_torchs_alone(root):
    lines = [LIBRARIES, "from vid2three.threads import limit_threads", "limit_threads(3)"]
    assert counted(root, *lines, NUMBA_NUM_THREADS="2") == ["2", "3"]


def test_the_command_line_follows_openmps_number(root):
    assert counted(root, "import vid2three.cli", OMP_NUM_THREADS="1") == ["1", "1"]


def test_numba_that_is_there_keeps_its_own_beside_the_command_line(root):
    threads = str(numba.config.NUMBA_DEFAULT_NUM_THREADS)
    assert counted(root, "import recon.hull, vid2three.cli", OMP_NUM_THREADS="1") == [threads, "1"]


def test_canary_numba_compiles_nothing_after_another_number(root):
    with pytest.raises(AssertionError, match="Cannot set NUMBA_NUM_THREADS"):
        counted(root, LIBRARIES, "os.environ['NUMBA_NUM_THREADS'] = '1'", NUMBA_NUM_THREADS="2")
