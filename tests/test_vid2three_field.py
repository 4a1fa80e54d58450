"""surface.npz: what is written is read, to the bit, and the same field gives the same file."""

import numpy as np
import pytest
import torch

from recon.sdf_field import SdfField, field_around
from recon.tsdf import grid_around
from vid2three.formats.field import load_field, save_field


@pytest.fixture
def field() -> SdfField:
    """An egg whose grid has three different sides."""
    grid = grid_around(np.array([-0.4, -0.6, -0.9]), np.array([0.4, 0.6, 0.9]), 20, 6)
    x, y, z = np.meshgrid(*grid.centers, indexing="ij")
    colors = np.random.default_rng(0).random((*grid.shape, 3))
    return field_around(np.sqrt((x / 0.4) ** 2 + (y / 0.6) ** 2 + (z / 0.9) ** 2) - 1, colors, grid, 30.0, "cpu")


def test_what_is_written_is_read(field, tmp_path):
    save_field(tmp_path / "surface.npz", field)
    read = load_field(tmp_path / "surface.npz")
    assert read.grid.shape == field.grid.shape
    assert read.grid.voxel == field.grid.voxel
    np.testing.assert_array_equal(read.grid.origin, field.grid.origin)
    for name in ("distances", "colors", "index", "is_inside"):
        assert torch.equal(getattr(read, name), getattr(field, name)), name
    assert read.sharpness == 30.0


def test_the_same_field_gives_the_same_bytes(field, tmp_path):
    save_field(tmp_path / "a", field)
    save_field(tmp_path / "b", field)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no zip at all", None])
def test_another_file_is_refused_by_name(content, tmp_path):
    path = tmp_path / "surface.npz"
    if content is None:
        np.savez(path, voxel=1.0)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"surface\.npz is no surface"):
        load_field(path)
