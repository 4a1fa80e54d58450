"""Views: resizing averages light, not colour values; the check names what is wrong."""

import copy
from dataclasses import replace

import pytest
import torch

from recon.camera import Cameras
from recon.views import Views, check, composited, resized

NUM, HEIGHT, WIDTH = 3, 4, 6


def make_views() -> Views:
    generator = torch.Generator().manual_seed(1)
    K = torch.tensor([[5.0, 0.0, 3.0], [0.0, 5.0, 2.0], [0.0, 0.0, 1.0]]).repeat(NUM, 1, 1)
    cameras = Cameras(K, torch.eye(4).repeat(NUM, 1, 1), HEIGHT, WIDTH)
    images = torch.rand(NUM, HEIGHT, WIDTH, 3, generator=generator)
    alphas = (torch.rand(NUM, HEIGHT, WIDTH, generator=generator) - 0.3).clamp(min=0)
    depths = torch.where(alphas > 0, 2 + torch.rand(NUM, HEIGHT, WIDTH, generator=generator), 0.0)
    return Views(images, alphas, depths, cameras, points=torch.zeros(8, 3))


def test_resizing_commutes_with_compositing():
    views = make_views()
    background = torch.tensor([0.2, 0.9, 0.5])
    half = composited(resized(views, HEIGHT // 2, WIDTH // 2), background)
    blocks = composited(views, background).unflatten(1, (HEIGHT // 2, 2)).unflatten(3, (WIDTH // 2, 2))
    assert torch.allclose(half, blocks.mean(dim=(2, 4)), atol=1e-6)


def test_resizing_scales_cameras_and_averages_alpha():
    views = make_views()
    small = resized(views, 2, 3)
    assert (small.cameras.height, small.cameras.width) == (2, 3)
    assert torch.allclose(small.cameras.K[:, 0], views.cameras.K[:, 0] / 2)
    assert torch.allclose(small.alphas.mean(), views.alphas.mean())


def test_resized_depth_ignores_pixels_without_depth():
    views = make_views()
    flat = replace(views, depths=torch.where(views.alphas > 0, 2.5, 0.0))
    small = resized(flat, 2, 3)
    assert torch.allclose(small.depths[small.alphas > 0], torch.tensor(2.5))
    assert bool((small.depths[small.alphas == 0] == 0).all())


def test_same_size_changes_nothing():
    views = make_views()
    assert resized(views, HEIGHT, WIDTH) is views


def test_photos_are_left_as_they_are_by_compositing():
    views = replace(make_views(), alphas=None)
    assert composited(views, 0.3) is views.images
    assert resized(views, 2, 3).alphas is None


def test_indexing_takes_every_part():
    views = make_views()
    one = views[2]
    assert len(one) == 1
    assert torch.equal(one.images[0], views.images[2])
    assert torch.equal(one.alphas[0], views.alphas[2])
    assert torch.equal(one.depths[0], views.depths[2])
    assert one.points is views.points
    assert len(views[torch.tensor([True, False, True])]) == 2


def _with(views: Views, **fields) -> Views:
    """Change fields past the constructor, where the tests' own shape checks would stop them."""
    broken = copy.copy(views)
    for name, value in fields.items():
        object.__setattr__(broken, name, value)
    return broken


def _broken() -> dict[str, tuple[Views, str]]:
    views = make_views()
    cameras = views.cameras
    nan_w2c, negative_K = cameras.w2c.clone(), cameras.K.clone()
    nan_w2c[1, 0, 3], negative_K[0, 0, 0] = float("nan"), -1.0
    return {
        "no views": (views[torch.zeros(0, dtype=torch.long)], "no views"),
        "camera count": (_with(views, cameras=cameras[:2]), "3 pictures have 2 cameras"),
        "picture size": (_with(views, images=views.images[:, :-1]), "3, 3, 6, 3"),
        "alpha size": (_with(views, alphas=views.alphas[:, 1:]), "alphas"),
        "depth size": (_with(views, depths=views.depths[..., 1:]), "depths"),
        "nan camera": (replace(views, cameras=replace(cameras, w2c=nan_w2c)), "not finite"),
        "focal": (replace(views, cameras=replace(cameras, K=negative_K)), "focal length"),
        "8-bit pictures": (replace(views, images=views.images * 255), "divide 8-bit pictures"),
        "8-bit masks": (replace(views, alphas=views.alphas * 255), "divide 8-bit masks"),
        "nan point": (replace(views, points=torch.full((2, 3), float("nan"))), "sparse point"),
    }


@pytest.mark.parametrize("name", list(_broken()))
def test_check_names_the_fault(name):
    views, message = _broken()[name]
    with pytest.raises(ValueError, match=message):
        check(views)


def test_check_passes_good_views():
    check(make_views())
    check(replace(make_views(), alphas=None, depths=None, points=None))
