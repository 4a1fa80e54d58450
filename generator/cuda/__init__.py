"""CUDA C++ kernels, compiled by NVRTC when first used: no compiler is needed where they run, only torch or cupy."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from pathlib import Path

import torch

Grid = tuple[int, int, int]
Kernel = Callable[..., None]  # (grid, block, args, shared_mem=0); tensors arrive as pointers, ints as C ints


def load_kernel(file: str, name: str) -> Kernel:
    """Compile the extern "C" kernel `name` of a source beside this module, for the current device; once a process.

    A kernel is called `kernel(grid, block, args, shared_mem)` with contiguous CUDA tensors and ints (no floats), and
    runs on torch's current stream, asynchronously. `shared_mem` is in bytes, below 48 KiB.
    """
    if not torch.cuda.is_available():
        raise RuntimeError(f"The kernel {name} of {file} needs a CUDA device; torch sees none.")
    return _compile(file, name, torch.cuda.current_device())


@functools.cache
def _compile(file: str, name: str, device: int) -> Kernel:
    # Some versions of torch put `extern "C"` before a source that does not start with it, whatever comes next.
    source = 'extern "C" {}\n' + Path(__file__).with_name(file).read_text("utf-8")
    compile_kernel = getattr(torch.cuda, "_compile_kernel", None)  # private; in torch since 2.9
    if compile_kernel is None:
        return _cupy_kernel(source, name)
    try:
        return compile_kernel(source, name, nvcc_options=["--use_fast_math"])
    except OSError:  # torch finds no NVRTC of its own, or no CUDA_HOME; a compile error is a RuntimeError
        return _cupy_kernel(source, name)


def _cupy_kernel(source: str, name: str) -> Kernel:
    try:
        cupy, numpy = importlib.import_module("cupy"), importlib.import_module("numpy")
    except ImportError as error:
        raise ImportError("CUDA kernels need torch 2.9 or later with NVRTC, or cupy-cuda13x.") from error
    kernel = cupy.RawModule(code=source, options=("--use_fast_math",)).get_function(name)

    def launch(grid: Grid, block: Grid, args: list[torch.Tensor | int], shared_mem: int = 0) -> None:
        converted = [numpy.intp(a.data_ptr()) if isinstance(a, torch.Tensor) else numpy.int32(a) for a in args]
        with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
            kernel(grid, block, tuple(converted), shared_mem=shared_mem)

    return launch
