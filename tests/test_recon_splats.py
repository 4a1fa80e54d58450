"""Splats and spherical harmonics: rows and back, starts from points, an orthonormal basis."""

import copy
import math

import pytest
import torch

from recon import sh
from recon.splats import Splats, from_points, from_rows, to_rows

NUM = 13


def make_splats(num_sh: int = 4) -> Splats:
    generator = torch.Generator().manual_seed(2)
    shapes = [(NUM, 3), (NUM, 3), (NUM, 4), (NUM,), (NUM, num_sh, 3)]
    return Splats(*[torch.randn(*shape, generator=generator) for shape in shapes])


@pytest.mark.parametrize("num_sh", [1, 4, 9, 16])
def test_rows_and_back(num_sh):
    splats = make_splats(num_sh)
    again = from_rows(to_rows(splats))
    assert again.sh_degree == math.isqrt(num_sh) - 1
    for name in ("means", "log_scales", "quats", "opacity_logits", "sh"):
        assert torch.equal(getattr(again, name), getattr(splats, name))


def test_indexing_takes_every_field():
    splats = make_splats()
    few = splats[torch.tensor([4, 1])]
    assert len(few) == 2
    assert torch.equal(few.sh, splats.sh[[4, 1]])
    assert torch.equal(few.opacities, splats.opacity_logits[[4, 1]].sigmoid())


@pytest.mark.parametrize(("name", "message"), [("quats", "quats must be"), ("sh", "sh must be")])
def test_wrong_shapes_are_refused(name, message):
    splats = copy.copy(make_splats())
    object.__setattr__(splats, name, getattr(splats, name)[:, :3])  # past the tests' own shape checks
    with pytest.raises(ValueError, match=message):
        splats.__post_init__()


def test_splats_on_a_lattice_are_as_wide_as_its_spacing():
    axis = torch.arange(4) * 0.25
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    colors = torch.rand(64, 3, generator=torch.Generator().manual_seed(0))
    splats = from_points(points, colors, sh_degree=2, opacity=0.3, spacing=2.0)
    assert torch.allclose(splats.scales, torch.full((64, 3), 0.5))
    assert torch.allclose(splats.opacities, torch.full((64,), 0.3))
    direction = torch.nn.functional.normalize(torch.randn(64, 3), dim=-1)
    assert torch.allclose(sh.colors(splats.sh, direction), colors, atol=1e-6)


def test_coinciding_points_get_a_finite_size():
    splats = from_points(torch.zeros(6, 3), torch.zeros(6, 3))
    assert bool(torch.isfinite(splats.log_scales).all())


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="4 are needed"):
        from_points(torch.zeros(3, 3), torch.zeros(3, 3))


def test_harmonics_are_orthonormal_on_the_sphere():
    """Integrate products of basis functions: Gauss-Legendre in z, equal steps in azimuth; exact for degree 3."""
    nodes = torch.tensor(
        [-0.9061798459386640, -0.5384693101056831, 0.0, 0.5384693101056831, 0.9061798459386640], dtype=torch.float64
    )
    weights = torch.tensor(
        [0.2369268850561891, 0.4786286704993665, 0.5688888888888889, 0.4786286704993665, 0.2369268850561891],
        dtype=torch.float64,
    )
    azimuth = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
    z, a = torch.meshgrid(nodes, azimuth, indexing="ij")
    r = (1 - z * z).sqrt()
    basis = sh.basis(torch.stack([r * a.cos(), r * a.sin(), z], dim=-1), 3)  # [5,8,16]
    gram = torch.einsum("zak,zal,z->kl", basis, basis, weights) * (2 * math.pi / 8)
    assert torch.allclose(gram, torch.eye(16, dtype=torch.float64), atol=1e-10)


def test_convention_degree_one_follows_3dgs():
    """Coefficients 1, 2, 3 multiply -y, z, -x."""
    directions = torch.eye(3)
    expected = sh.C1 * torch.tensor([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert torch.allclose(sh.basis(directions, 1)[:, 1:], expected)


def test_a_lower_degree_leaves_the_rest_out():
    splats = make_splats(9)
    direction = torch.nn.functional.normalize(splats.means, dim=-1)
    assert torch.equal(sh.colors(splats.sh, direction, 1), sh.colors(splats.sh[:, :4], direction))


def test_dc_is_the_inverse_of_rgb():
    rgb = torch.rand(5, 3)
    assert torch.allclose(sh.dc_to_rgb(sh.rgb_to_dc(rgb)), rgb, atol=1e-6)


def test_degree_four_is_refused():
    with pytest.raises(ValueError, match="degree 3"):
        sh.basis(torch.eye(3), 4)
