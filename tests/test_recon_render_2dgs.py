"""Flat splats through the door: backends agree, and depths and normals are what a hand works out."""

from dataclasses import fields, replace

import pytest
import torch

from recon.camera import Cameras, rays
from recon.render import render
from recon.sh import rgb_to_dc
from recon.splats import Splats
from render_parts import HEIGHT, NUM_CAMERAS, WIDTH, make_cameras, make_splats

TILT = 0.6  # radians about x


def wide_splats() -> Splats:
    """Discs of several pixels, which a low-pass hardly changes."""
    splats = make_splats()
    return replace(splats, log_scales=splats.log_scales + 1)


def ahead() -> Cameras:
    """A camera at the origin that looks along +z."""
    K = torch.tensor([[[40.0, 0.0, 17.0], [0.0, 34.0, 10.5], [0.0, 0.0, 1.0]]])
    return Cameras(K, torch.eye(4)[None], HEIGHT, WIDTH)


def walls(depths: tuple[float, ...], opacities: tuple[float, ...]) -> Splats:
    """Discs that fill the picture, one behind the other, facing the camera."""
    num = len(depths)
    return Splats(
        means=torch.tensor([[0.0, 0.0, depth] for depth in depths]),
        log_scales=torch.tensor([0.55, 0.55, 1e-3]).log().repeat(num, 1),
        quats=torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(num, 1),
        opacity_logits=torch.logit(torch.tensor(opacities)),
        sh=rgb_to_dc(torch.tensor([[1.0, 0.5, 0.0]])).repeat(num, 1)[:, None],
    )


def test_cpu_pictures_are_the_references():
    background = torch.tensor([0.1, 0.7, 0.4])
    fast, slow = (
        render(make_splats(), make_cameras(), background=background, backend=backend, primitive="2dgs")
        for backend in ("cpu", "reference")
    )
    assert fast.rgb.shape == fast.normal.shape == (NUM_CAMERAS, HEIGHT, WIDTH, 3)
    for name in ("rgb", "alpha", "normal", "mean_depth", "distortion"):
        off = (getattr(fast, name) - getattr(slow, name)).abs()
        assert (off > 1e-4).double().mean() < 0.002, name  # alphas of a half may fall to either side
    assert ((fast.depth - slow.depth).abs() > 1e-3).double().mean() < 0.01


def test_cpu_gradients_are_the_references_through_autograd():
    grads = {}
    for backend in ("cpu", "reference"):
        splats, cameras = make_splats(), make_cameras()
        leaves = {f.name: getattr(splats, f.name).requires_grad_() for f in fields(splats)}
        leaves |= {"K": cameras.K.requires_grad_(), "w2c": cameras.w2c.requires_grad_()}
        picture = render(splats, cameras, backend=backend, primitive="2dgs")
        weights = torch.randn(picture.rgb.shape, generator=torch.Generator().manual_seed(6))
        loss = (picture.rgb * weights).sum() + (picture.normal * weights.flip(0)).sum()
        loss = loss + (picture.mean_depth * weights[..., 0]).sum() + 10 * picture.distortion.sum()
        (loss + (picture.depth * weights[..., 1]).sum() + picture.alpha.square().sum()).backward()
        grads[backend] = {name: leaf.grad for name, leaf in leaves.items()}
    for name, truth in grads["reference"].items():
        assert (grads["cpu"][name] - truth).abs().max() < 2e-3 * truth.abs().max(), name


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_depths_and_normals_of_a_tilted_disc_are_its_planes(backend):
    tilt = torch.tensor(TILT)
    disc = walls((2.0,), (0.995,))
    disc.quats[0] = torch.stack([(tilt / 2).cos(), (tilt / 2).sin(), torch.tensor(0.0), torch.tensor(0.0)])
    disc.means[0, 0] = 0.05
    picture = render(disc, ahead(), backend=backend, primitive="2dgs")
    normal = torch.stack([torch.tensor(0.0), tilt.sin(), -tilt.cos()])  # towards the camera
    _, directions = rays(ahead())
    expected = (disc.means[0] @ normal) / (directions[0] @ normal) * directions[0, ..., 2]
    hit = picture.depth[0] > 0
    assert hit.sum() > 100
    assert expected[hit].max() - expected[hit].min() > 0.3
    for depth in (picture.depth, picture.mean_depth):
        assert torch.allclose(depth[0][hit], expected[hit], rtol=1e-5)
    assert torch.allclose(picture.normal[0], picture.alpha[0, ..., None] * normal, atol=1e-5)
    assert picture.distortion.abs().max() < 1e-6  # there is nothing else on the ray
    assert not picture.depth[0][picture.alpha[0] < 0.5].any()


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(("front", "median"), [(0.3, 3.0), (0.8, 2.0)])
def test_median_depth_lies_on_one_of_two_layers_and_the_mean_between(backend, front, median):
    """On the axis: weights `front` and (1 - front) 0.9, depths 2 and 3."""
    picture = render(walls((2.0, 3.0), (front, 0.9)), ahead(), backend=backend, primitive="2dgs")
    place = (0, 10, 16)  # half a pixel off the axis: the discs have fallen off by a thousandth there
    weights = torch.tensor([front, (1 - front) * 0.9])
    mean = (weights @ torch.tensor([2.0, 3.0])) / weights.sum()
    assert picture.depth[place].item() == pytest.approx(median, abs=1e-5)
    assert picture.mean_depth[place].item() == pytest.approx(mean.item(), abs=2e-3)
    assert picture.distortion[place].item() == pytest.approx((weights[0] * weights[1]).item(), rel=5e-3)
    assert picture.alpha[place].item() == pytest.approx(weights.sum().item(), rel=2e-3)


def test_ellipsoids_have_neither_mean_depth_nor_distortion():
    picture = render(make_splats(), make_cameras())
    assert picture.mean_depth is None
    assert picture.distortion is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_gsplat_without_cuda_says_so():
    with pytest.raises(RuntimeError, match="CUDA"):
        render(make_splats(), make_cameras(), backend="gsplat", primitive="2dgs")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="gsplat needs a CUDA device")
def test_gsplat_agrees_with_the_cpu():
    """Pictures and normals; its depths are of centres, so they agree for walls that face the camera."""
    splats, cameras = wide_splats(), make_cameras()
    ours = render(splats, cameras, backend="cpu", primitive="2dgs")
    theirs = render(splats.to("cuda"), cameras.to("cuda"), backend="gsplat", primitive="2dgs")
    for name in ("rgb", "alpha", "normal"):
        off = (getattr(ours, name) - getattr(theirs, name).cpu()).abs()
        assert off.median() < 2e-3, name  # their rays end at 1e-4, ours at 1e-3
        assert (off > 0.02).double().mean() < 0.05, name  # its low-pass is wider: discs seen edge-on differ
    layers = walls((2.0, 3.0), (0.6, 0.9))
    ours = render(layers, ahead(), backend="cpu", primitive="2dgs")
    theirs = render(layers.to("cuda"), ahead().to("cuda"), backend="gsplat", primitive="2dgs")
    middle = (slice(None), slice(7, 14), slice(13, 21))
    for name in ("depth", "mean_depth", "distortion"):
        assert torch.allclose(getattr(ours, name)[middle], getattr(theirs, name).cpu()[middle], atol=5e-3), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="gsplat needs a CUDA device")
def test_gsplats_gradients_point_where_the_cpus_do():
    grads = []
    for device, backend in (("cpu", "cpu"), ("cuda", "gsplat")):
        splats, cameras = wide_splats().to(device), make_cameras().to(device)
        leaves = [getattr(splats, f.name).requires_grad_() for f in fields(splats)]
        picture = render(splats, cameras, backend=backend, primitive="2dgs")
        weights = torch.randn(picture.rgb.shape, generator=torch.Generator().manual_seed(6)).to(device)
        ((picture.rgb * weights).sum() + (picture.normal * weights).sum() + picture.alpha.square().sum()).backward()
        grads.append([leaf.grad.cpu() for leaf in leaves])
    for field, ours, theirs in zip(fields(Splats), *grads, strict=True):
        assert bool(torch.isfinite(theirs).all()), field.name
        cosine = torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0)
        assert cosine > 0.97, field.name
