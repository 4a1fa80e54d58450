"""The visual hull against a slow twin, in odd frames and scales, and with masks that lie."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import KDTree

from generator.rays import orbit_c2w
from recon.camera import Cameras, invert_rigid, project, rays
from recon.hull import Hull, carve, hollowed, look_at_point, surface_points
from recon.views import Views
from subjects import orbit_views

HEIGHT, WIDTH = 56, 64


def ball_views(num: int = 12, center=(0.0, 0.0, 0.0), radius: float = 1.0, frame: np.ndarray | None = None) -> Views:
    """Views of a white ball from an orbit that looks at the origin; `frame` is a similarity that moves all of it."""
    c2w = orbit_c2w(num, elevation_deg=20.0, radius=4.0)
    center = np.asarray(center, np.float64)
    if frame is not None:
        scale = np.cbrt(np.linalg.det(frame[:3, :3]))
        center, radius = frame[:3, :3] @ center + frame[:3, 3], scale * radius
        c2w[:, :3, 3] = c2w[:, :3, 3] @ frame[:3, :3].T + frame[:3, 3]
        c2w[:, :3, :3] = frame[:3, :3] / scale @ c2w[:, :3, :3]
    K = torch.tensor([[70.0, 0, 31.0], [0, 72.0, 29.0], [0, 0, 1]]).expand(num, 3, 3)
    cameras = Cameras(K, invert_rigid(torch.from_numpy(c2w).float()), HEIGHT, WIDTH)
    origins, directions = rays(cameras)
    toward = torch.from_numpy(center).float() - origins
    along = (toward * directions).sum(dim=-1)
    past = (toward.norm(dim=-1) ** 2 - along**2).clamp(min=0).sqrt()  # distance of the ray to the ball's centre
    alphas = ((radius - past) / (along / 70.0) + 0.5).clamp(0, 1)  # an edge one pixel wide
    return Views(torch.ones(num, HEIGHT, WIDTH, 3), alphas, None, cameras)


def centers(hull: Hull) -> torch.Tensor:
    """The middles of a hull's voxels, [R,R,R,3]."""
    steps = (torch.arange(len(hull.occupancy)) + 0.5) * hull.voxel
    return torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), dim=-1) + hull.origin


def iou(a: Hull, b: Hull) -> float:
    """Overlap of two hulls on one grid."""
    return float((a.occupancy & b.occupancy).sum() / (a.occupancy | b.occupancy).sum())


BOUNDS = (torch.tensor([-1.3, -1.3, -1.3]), torch.tensor([1.3, 1.3, 1.3]))


def test_equals_a_plain_carving():
    views = ball_views()
    hull = carve(views, 24, BOUNDS)
    uv, _ = project(centers(hull).reshape(-1, 3), views.cameras)
    scaled = 2 * uv / torch.tensor([WIDTH, HEIGHT]) - 1
    read = torch.nn.functional.grid_sample(views.alphas[:, None], scaled[:, :, None], align_corners=False)[:, 0, :, 0]
    assert (read - 0.5).abs().min() > 1e-5  # no voxel stands on the knife's edge
    assert torch.equal(hull.occupancy.flatten(), (read > 0.5).all(dim=0))
    assert hull.misses == 0


def test_holds_the_subject_and_little_more():
    hull = carve(ball_views(24), 48)
    distance = centers(hull).norm(dim=-1)
    assert hull.occupancy[distance < 1 - hull.voxel].all()
    assert 1.0 < float(hull.occupancy.sum()) * hull.voxel**3 / (4 / 3 * np.pi) < 1.12
    assert hull.voxel * 48 < 3.2  # bounds fit: the ball and its hull's tips are 2.2 across


def test_works_in_any_frame_and_scale():
    turn, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))
    frame = np.eye(4)
    frame[:3, :3] = 7.0 * turn * np.sign(np.linalg.det(turn))
    frame[:3, 3] = [30.0, -20.0, 5.0]
    hull = carve(ball_views(frame=frame), 48)
    volume = float(hull.occupancy.sum()) * hull.voxel**3
    assert volume / (4 / 3 * np.pi * 7.0**3) == pytest.approx(1.1, abs=0.1)
    middle = centers(hull)[hull.occupancy].mean(dim=0)
    assert torch.allclose(middle, torch.tensor([30.0, -20.0, 5.0]), atol=0.5)


def test_finds_a_small_subject_off_centre():
    hull = carve(ball_views(center=(0.7, -0.4, 0.5), radius=0.25), 32)
    middle = centers(hull)[hull.occupancy].mean(dim=0)
    assert torch.allclose(middle, torch.tensor([0.7, -0.4, 0.5]), atol=0.03)
    assert hull.voxel * 32 < 1.0


@pytest.mark.parametrize("fault", ["empty", "shifted", "half"])
def test_one_bad_mask_does_not_cut_the_subject(fault):
    views = ball_views(24)
    alphas = views.alphas.clone()
    if fault == "empty":
        alphas[5] = 0
    elif fault == "shifted":
        alphas[5] = alphas[5].roll(12, dims=1)
    else:
        alphas[5, HEIGHT // 2 :] = 0
    clean = carve(views, 48, BOUNDS)
    robust = carve(dataclasses.replace(views, alphas=alphas), 48, BOUNDS)
    believing = (
        carve(dataclasses.replace(views, alphas=alphas), 48, BOUNDS, min_share=1.0) if fault != "empty" else None
    )
    assert robust.misses == 1
    assert iou(clean, robust) > 0.93
    assert believing is None or iou(clean, believing) < 0.9  # what the same mask does where it is believed


def test_says_what_is_missing():
    views = ball_views(4)
    with pytest.raises(ValueError, match="RGBA"):
        carve(dataclasses.replace(views, alphas=None))
    with pytest.raises(ValueError, match="no solid"):
        carve(dataclasses.replace(views, alphas=torch.zeros_like(views.alphas)))


def test_surface_points_lie_on_the_surface_and_spread_evenly():
    hull = carve(ball_views(32), 64)
    points = surface_points(hull, 2000, torch.Generator().manual_seed(1))
    radii = points.norm(dim=1)
    equator = points[:, 2].abs() < 0.5  # away from the tips that an orbit's hull has
    assert (radii[equator] - 1).abs().quantile(0.95) < 0.6 * hull.voxel
    nearest = KDTree(points.numpy()).query(points.numpy(), k=2)[0][:, 1]
    random = torch.nn.functional.normalize(torch.randn(2000, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    by_chance = KDTree(random.numpy()).query(random.numpy(), k=2)[0][:, 1]
    assert nearest.std() / nearest.mean() < 0.85 * by_chance.std() / by_chance.mean()
    up, down = (points[:, 2] > 0).sum(), (points[:, 2] < 0).sum()
    assert abs(int(up) - int(down)) < 100


def test_surface_points_repeat_with_the_seed():
    hull = carve(ball_views(8), 24)
    draws = [surface_points(hull, 50, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_look_at_point_is_where_the_axes_meet():
    views = ball_views(6)
    assert np.abs(look_at_point(views.cameras)).max() < 1e-3


def bowl_views() -> Views:
    """Views, with depths, of a round bowl that is open above: no outline shows its inside."""
    profile = np.array([[0, -0.5], [0.8, -0.5], [0.8, 0.5], [0.65, 0.5], [0.65, -0.3], [0, -0.3]])
    bowl = trimesh.creation.revolve(profile, sections=48)
    bowl.visual.vertex_colors = np.full((len(bowl.vertices), 4), 255, np.uint8)
    return orbit_views(bowl, 12, elevation_deg=35.0)


def test_depths_hollow_out_what_no_outline_shows():
    views = bowl_views()
    hull = carve(views, 48)
    open_hull, at = hollowed(hull, views), centers(hull)
    inside = (at[..., :2].norm(dim=-1) < 0.5) & (at[..., 2] > 0.0) & (at[..., 2] < 0.4)
    wall = (at[..., :2].norm(dim=-1) - 0.725).abs() < 0.04
    assert hull.occupancy[inside].all()
    assert float(open_hull.occupancy[inside].float().mean()) < 0.1  # but what the near rim hides
    assert torch.equal(open_hull.occupancy[wall], hull.occupancy[wall])
    assert not (open_hull.occupancy & ~hull.occupancy).any()


def test_depths_that_few_maps_hold_or_none_hollow_nothing():
    views = bowl_views()
    hull = carve(views, 48)
    two = torch.where((torch.arange(12) < 2)[:, None, None], views.depths, 0.0)
    assert torch.equal(hollowed(hull, dataclasses.replace(views, depths=two)).occupancy, hull.occupancy)
    assert hollowed(hull, dataclasses.replace(views, depths=None)) is hull
    far = dataclasses.replace(views, depths=views.depths + 9 * (views.depths > 0))  # looks through everything
    assert hollowed(hull, far).occupancy.any()
