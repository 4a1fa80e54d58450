"""Canaries of shape_checks.py: a wrong shape raises, in every place an array can be annotated."""

import importlib
import pkgutil
import sys
from types import FunctionType, ModuleType

import pytest
import torch
from jaxtyping import TypeCheckError

import shape_checks
from shape_checks import annotates_array

PLANTED = """
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Float
from numba import njit
from torch import Tensor

if TYPE_CHECKING:
    from nowhere import Absent


def total(x: Float[Tensor, "n 3"], y: Float[Tensor, " n"], z: Absent | None = None) -> Float[Tensor, " n"]:
    return x.sum(1) + y


def flatten(x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    return x.reshape(-1)


def pair(x: Float[Tensor, "n 3"] | None) -> tuple[Float[Tensor, "n 3"] | None, Float[Tensor, " n"]]:
    return x, x


@dataclass(frozen=True)
class Points:
    means: Float[Tensor, "n 3"]
    weights: Float[Tensor, " n"]

    def moved(self, by: Float[Tensor, "3"]) -> Points:
        return Points(self.means + by, self.weights)


@njit
def compiled(x: int) -> int:
    return x + 1
"""


@pytest.fixture
def planted() -> ModuleType:
    module = ModuleType("planted")
    sys.modules["planted"] = module
    exec(compile(PLANTED, "planted.py", "exec", dont_inherit=True), vars(module))
    shape_checks.check_module(module)
    yield module
    del sys.modules["planted"]


def test_right_shapes_pass(planted):
    assert planted.total(torch.ones(5, 3), torch.ones(5)).tolist() == [4.0] * 5
    assert planted.Points(torch.ones(5, 3), torch.ones(5)).moved(torch.ones(3)).means.sum() == 30
    assert planted.compiled(1) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.total(torch.ones(5, 4), torch.ones(5)),
        lambda m: m.total(torch.ones(5, 3), torch.ones(1)),
        lambda m: m.flatten(torch.ones(5, 3)),
        lambda m: m.pair(torch.ones(5, 3)),
        lambda m: m.Points(torch.ones(5, 3), torch.ones(6)),
        lambda m: m.Points(torch.ones(5, 3), torch.ones(5)).moved(torch.ones(5, 3)),
    ],
    ids=["argument", "two arguments disagree", "result", "inside a tuple", "dataclass", "method"],
)
def test_canary_wrong_shape_raises(planted, call):
    with pytest.raises(TypeCheckError):
        call(planted)


def test_canary_wrong_shape_raises_in_the_packages():
    from generator.flow import interpolate

    with pytest.raises(TypeCheckError):
        interpolate(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 1))


@pytest.mark.parametrize("package", ["generator", "recon"])
def test_every_array_annotation_of_a_package_is_checked(package):
    names = [entry.name for entry in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}.")]
    annotated = {
        f"{name}.{function.__name__}": function
        for name in names
        for function in vars(importlib.import_module(name)).values()
        if isinstance(function, FunctionType) and function.__module__ == name and annotates_array(function)
    }
    assert len(annotated) >= 5
    assert [name for name, function in annotated.items() if not hasattr(function, "__wrapped__")] == []


def test_shape_checks_refuse_to_come_too_late():
    import generator.flow  # noqa: F401

    with pytest.raises(RuntimeError, match="too early"):
        shape_checks.install(("generator",))
