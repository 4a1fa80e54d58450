"""From nerfstudio's world back to ours: what was seen from a camera there is seen from the same camera here."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from nerfstudio_stand_in import save_as_nerfstudio
from recon import reference, sh
from recon.camera import Cameras, invert_rigid, opengl_to_opencv, rays
from recon.render import render
from recon.splats import Splats
from subjects import mug, orbit_views
from vid2three.formats.ply import load_splats
from vid2three.nerfstudio.world import World, c2w_to, depths_from, load_world, splats_from, widened

WORLD = World(
    rotation=torch.from_numpy(Rotation.from_euler("xyz", (70, -25, 140), degrees=True).as_matrix()),
    shift=torch.tensor([0.3, -0.7, 0.2], dtype=torch.float64),
    scale=0.37,
)


def random_splats(num: int = 60, spread: float = 0.25, width: float = 0.04) -> Splats:
    generator = torch.Generator().manual_seed(2)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    means = spread * normal(num, 3)
    return Splats(means, np.log(width) + 0.5 * normal(num, 3), normal(num, 4), normal(num), 0.4 * normal(num, 16, 3))


def cameras_there(cameras: Cameras, world: World) -> Cameras:
    """Our cameras in nerfstudio's world, with OpenCV's axes again."""
    c2w = torch.eye(4).repeat(len(cameras), 1, 1)
    c2w[:, :3] = c2w_to(cameras, world)
    return Cameras(cameras.K, invert_rigid(opengl_to_opencv(c2w)), cameras.height, cameras.width)


def test_turned_harmonics_show_the_same_colour_along_turned_directions():
    splats, rotation = random_splats(), WORLD.rotation.float()
    directions = torch.nn.functional.normalize(torch.randn(60, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    for num in (1, 4, 9, 16):
        before = sh.colors(splats.sh[:, :num], directions)
        after = sh.colors(sh.rotated(splats.sh[:, :num], rotation), directions @ rotation.T)
        torch.testing.assert_close(after, before, rtol=0, atol=1e-5)


def test_cameras_go_there_as_nerfstudio_takes_them():
    cameras = orbit_views(mug(), 3).cameras
    there = cameras_there(cameras, WORLD)
    point = torch.tensor([0.2, -0.1, 0.4])
    moved = (WORLD.scale * (WORLD.rotation @ point.double() + WORLD.shift)).float()
    ours, theirs = (c.w2c[:, :3, :3] @ p + c.w2c[:, :3, 3] for c, p in ((cameras, point), (there, moved)))
    torch.testing.assert_close(theirs, WORLD.scale * ours, rtol=0, atol=1e-5)


def test_exported_splats_come_back_and_look_as_they_did_there(tmp_path):
    cameras = orbit_views(mug(), 3).cameras
    middle = (WORLD.scale * WORLD.shift).float()  # where our origin lies over there
    there = replace(random_splats(), means=random_splats().means * WORLD.scale + middle)
    there = replace(there, log_scales=there.log_scales + np.log(WORLD.scale))
    save_as_nerfstudio(tmp_path / "splat.ply", there)
    here = splats_from(load_splats(tmp_path / "splat.ply"), WORLD)
    seen_there, seen_here = render(there, cameras_there(cameras, WORLD)), render(here, cameras)
    assert float(seen_there.alpha.mean()) > 0.04
    torch.testing.assert_close(seen_here.rgb, seen_there.rgb, rtol=0, atol=2e-3)
    torch.testing.assert_close(seen_here.alpha, seen_there.alpha, rtol=0, atol=2e-3)
    both = (seen_here.depth > 0) & (seen_there.depth > 0)
    apart = (seen_here.depth - seen_there.depth / WORLD.scale).abs()[both]
    assert float(apart.median()) < 1e-4


def test_widened_splats_look_here_as_gsplat_draws_them(monkeypatch):
    cameras = orbit_views(mug(), 2, size=(40, 44)).cameras
    splats = random_splats(width=0.02)  # a pixel is 0.056 wide there
    ours = render(widened(splats, cameras), cameras, backend="reference")
    plain = render(splats, cameras, backend="reference")
    monkeypatch.setattr(reference, "LOW_PASS", 0.3)
    theirs = render(splats, cameras, backend="reference")
    missed, left = ((render_.rgb - theirs.rgb).abs().mean() for render_ in (plain, ours))
    assert float(left) < 0.15 * float(missed)


def test_distances_along_rays_become_depths():
    cameras = orbit_views(mug(), 3).cameras
    z = 2.0 + torch.rand(3, cameras.height, cameras.width, generator=torch.Generator().manual_seed(0))
    _, directions = rays(cameras)  # unit
    along = torch.einsum("nhwi,nji->nhwj", directions, cameras.w2c[:, :3, :3])[..., 2]
    accumulation = torch.ones_like(z)
    accumulation[0, 3, 4] = 0.4
    found = depths_from(WORLD.scale * z / along, accumulation, cameras, WORLD)
    assert found[0, 3, 4] == 0
    z[0, 3, 4] = 0
    torch.testing.assert_close(found, z, rtol=0, atol=1e-5)


def test_a_file_that_is_no_turn_of_the_world_is_named(tmp_path):
    path = tmp_path / "dataparser_transforms.json"
    path.write_text(json.dumps({"transform": WORLD.rotation.tolist(), "scale": 1}))
    with pytest.raises(ValueError, match="holds no turn"):
        load_world(path)
    with pytest.raises(ValueError, match="does not say how"):
        load_world(tmp_path / "nothing.json")
    matrix = torch.cat([WORLD.rotation, WORLD.shift[:, None]], dim=1)
    path.write_text(json.dumps({"transform": matrix.tolist(), "scale": WORLD.scale}))
    assert load_world(path).scale == WORLD.scale
    torch.testing.assert_close(load_world(path).shift, WORLD.shift)
