"""The door to the rasterisers: backends agree, depth and normals are right, wrong input is refused."""

from dataclasses import fields, replace

import pytest
import torch

from recon.camera import Cameras, rays
from recon.render import render
from recon.splats import Splats

NUM_CAMERAS, HEIGHT, WIDTH, NUM = 2, 21, 34, 40


def make_splats(num_sh: int = 4) -> Splats:
    generator = torch.Generator().manual_seed(3)
    return Splats(
        means=1.4 * torch.rand(NUM, 3, generator=generator) - 0.7,
        log_scales=(0.04 + 0.12 * torch.rand(NUM, 3, generator=generator)).log(),
        quats=torch.randn(NUM, 4, generator=generator),
        opacity_logits=1.5 * torch.randn(NUM, generator=generator),
        sh=0.3 * torch.randn(NUM, num_sh, 3, generator=generator),
    )


def make_cameras() -> Cameras:
    generator = torch.Generator().manual_seed(4)
    rotations = torch.linalg.qr(torch.randn(NUM_CAMERAS, 3, 3, generator=generator))[0]
    w2c = torch.eye(4).repeat(NUM_CAMERAS, 1, 1)
    w2c[:, :3, :3] = rotations * torch.det(rotations)[:, None, None]
    w2c[:, :3, 3] = torch.tensor([0.1, 0.0, 2.5])
    K = torch.tensor([[40.0, 0.0, 15.0], [0.0, 34.0, 12.0], [0.0, 0.0, 1.0]]).repeat(NUM_CAMERAS, 1, 1)
    return Cameras(K, w2c, HEIGHT, WIDTH)


@pytest.mark.parametrize("num_sh", [1, 4, 9, 16])
def test_cpu_pictures_are_the_references(num_sh):
    splats, cameras, background = make_splats(num_sh), make_cameras(), torch.tensor([0.1, 0.7, 0.4])
    fast = render(splats, cameras, background=background, backend="cpu")
    slow = render(splats, cameras, background=background, backend="reference")
    assert fast.rgb.shape == (NUM_CAMERAS, HEIGHT, WIDTH, 3)
    assert torch.allclose(fast.rgb, slow.rgb, atol=1e-4)
    assert torch.allclose(fast.alpha, slow.alpha, atol=1e-4)
    same = (fast.depth - slow.depth).abs() < 1e-3
    assert same.double().mean() > 0.99  # a tie at a half may fall either way
    assert torch.allclose(fast.normal[same], slow.normal[same], atol=1e-3)


def test_cpu_gradients_are_the_references_through_autograd():
    background = torch.tensor([0.1, 0.7, 0.4])
    grads = {}
    for backend in ("cpu", "reference"):
        splats, cameras = make_splats(), make_cameras()
        leaves = {f.name: getattr(splats, f.name).requires_grad_() for f in fields(splats)}
        leaves |= {"K": cameras.K.requires_grad_(), "w2c": cameras.w2c.requires_grad_()}
        leaves["background"] = background.clone().requires_grad_()
        picture = render(splats, cameras, background=leaves["background"], backend=backend)
        weights = torch.randn(picture.rgb.shape, generator=torch.Generator().manual_seed(6))
        ((picture.rgb * weights).sum() + picture.alpha.square().sum()).backward()
        grads[backend] = {name: leaf.grad for name, leaf in leaves.items()}
    for name, truth in grads["reference"].items():
        assert (grads["cpu"][name] - truth).abs().max() < 2e-3 * truth.abs().max(), name


def test_background_shows_where_nothing_covers_it():
    splats, cameras, background = make_splats(), make_cameras(), torch.tensor([0.25, 0.5, 1.0])
    black, colored = render(splats, cameras), render(splats, cameras, background=background)
    through = (1 - black.alpha)[..., None] * background
    assert torch.allclose(colored.rgb, black.rgb + through, atol=1e-6)
    assert torch.equal(colored.alpha, black.alpha)


def test_lower_degree_ignores_the_higher_harmonics():
    splats, cameras = make_splats(9), make_cameras()
    cut = replace(splats, sh=splats.sh[:, :4].contiguous())
    assert torch.equal(render(splats, cameras, sh_degree=1).rgb, render(cut, cameras).rgb)


def test_depth_and_normal_of_a_tilted_disc_are_its_planes():
    """A wide flat splat: z where each pixel's ray meets its plane, not the z of its centre."""
    tilt = torch.tensor(0.6)
    quat = torch.stack([(tilt / 2).cos(), (tilt / 2).sin(), torch.tensor(0.0), torch.tensor(0.0)])
    disc = Splats(
        means=torch.tensor([[0.05, 0.0, 2.0]]),
        log_scales=torch.tensor([[0.5, 0.5, 1e-4]]).log(),
        quats=quat[None],
        opacity_logits=torch.tensor([6.0]),
        sh=torch.zeros(1, 1, 3),
    )
    K = torch.tensor([[[40.0, 0.0, 17.0], [0.0, 34.0, 10.5], [0.0, 0.0, 1.0]]])
    camera = Cameras(K, torch.eye(4)[None], HEIGHT, WIDTH)
    picture = render(disc, camera)
    normal = torch.stack([torch.tensor(0.0), tilt.sin(), -tilt.cos()])  # towards the camera
    _, directions = rays(camera)
    distance = (disc.means[0] @ normal) / (directions[0] @ normal)
    expected = distance * directions[0, ..., 2]
    hit = picture.depth[0] > 0
    assert hit.sum() > 100
    assert torch.allclose(picture.depth[0][hit], expected[hit], rtol=1e-3)
    assert torch.allclose(picture.normal[0][hit], normal.expand(int(hit.sum()), 3), atol=1e-5)
    assert bool((picture.alpha[0][hit] >= 0.5).all())
    assert bool((picture.alpha[0][~hit] <= 0.5).all())
    assert not picture.normal[0][~hit].any()


def test_splats_that_are_not_finite_are_refused():
    splats = make_splats()
    splats.opacity_logits[3] = float("nan")
    with pytest.raises(ValueError, match="1 of 40 splats"):
        render(splats, make_cameras())


def test_a_degree_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="degree 1"):
        render(make_splats(4), make_cameras(), sh_degree=2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_gsplat_without_cuda_says_so():
    with pytest.raises(RuntimeError, match="CUDA"):
        render(make_splats(), make_cameras(), backend="gsplat")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="gsplat needs a CUDA device")
def test_gsplat_agrees_with_the_cpu():
    splats, cameras = make_splats(), make_cameras()
    ours = render(splats, cameras, backend="cpu")
    theirs = render(splats.to("cuda"), cameras.to("cuda"), backend="auto")
    assert (ours.rgb - theirs.rgb.cpu()).abs().max() < 2e-3  # their rays end at 1e-4, ours at 1e-3
    assert (ours.alpha - theirs.alpha.cpu()).abs().max() < 2e-3
