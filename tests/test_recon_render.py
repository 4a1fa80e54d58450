"""The door to the rasterisers: backends agree, depth and normals are right, wrong input is refused."""

import sys
from dataclasses import fields, replace
from types import ModuleType

import pytest
import torch

from recon.camera import Cameras, rays
from recon.render import has_gsplat, render
from recon.splats import Splats
from render_parts import HEIGHT, NUM_CAMERAS, WIDTH, make_cameras, make_splats


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


def gradients(backend: str, device: str = "cpu", *, antialiased: bool = False) -> dict[str, torch.Tensor]:
    """Gradients of a weighted sum of the picture with respect to all that it was drawn from."""
    splats, cameras = make_splats().to(device), make_cameras().to(device)
    leaves = {f.name: getattr(splats, f.name).requires_grad_() for f in fields(splats)}
    leaves |= {"K": cameras.K.requires_grad_(), "w2c": cameras.w2c.requires_grad_()}
    leaves["background"] = torch.tensor([0.1, 0.7, 0.4], device=device, requires_grad=True)
    background = leaves["background"]
    picture = render(splats, cameras, background=background, backend=backend, antialiased=antialiased)
    weights = torch.randn(picture.rgb.shape, generator=torch.Generator().manual_seed(6)).to(device)
    ((picture.rgb * weights).sum() + picture.alpha.square().sum()).backward()
    return {name: leaf.grad.cpu() for name, leaf in leaves.items() if leaf.grad is not None}


def test_cpu_gradients_are_the_references_through_autograd():
    fast, slow = gradients("cpu"), gradients("reference")
    assert {"means", "sh", "K", "w2c", "background"} < set(fast)
    for name, truth in slow.items():
        assert (fast[name] - truth).abs().max() < 2e-3 * truth.abs().max(), name


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


@pytest.mark.parametrize(("kernels", "is_there"), [(None, False), (object(), True)])
def test_gsplat_without_kernels_is_not_there(kernels, is_there, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    backend = ModuleType("gsplat.cuda._backend")
    backend._C = kernels  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gsplat.cuda._backend", backend)
    assert has_gsplat() == is_there


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="gsplat needs a CUDA device")
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize(("num_sh", "sh_degree"), [(1, None), (4, None), (9, 1), (16, None)])
def test_gsplat_pictures_are_the_cpus(num_sh, sh_degree, antialiased):
    splats, cameras, background = make_splats(num_sh), make_cameras(), torch.tensor([0.1, 0.7, 0.4])
    options = {"background": background, "sh_degree": sh_degree, "antialiased": antialiased}
    ours = render(splats, cameras, backend="cpu", **options)
    theirs = render(splats.to("cuda"), cameras.to("cuda"), backend="auto", **options)
    assert theirs.rgb.is_cuda
    assert (ours.rgb - theirs.rgb.cpu()).abs().max() < 1e-3
    assert (ours.alpha - theirs.alpha.cpu()).abs().max() < 1e-3


def rigid_gradient(grad: torch.Tensor, w2c: torch.Tensor) -> torch.Tensor:
    """Return the derivatives [f,6] by a small turn about each axis and a small shift along it, before the camera."""
    motions = torch.zeros(6, 4, 4)
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        motions[axis, j, i], motions[axis, i, j] = 1, -1
        motions[3 + axis, axis, 3] = 1
    return torch.einsum("fij,kil,flj->fk", grad, motions, w2c)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="gsplat needs a CUDA device")
@pytest.mark.parametrize("antialiased", [False, True])
def test_gsplat_gradients_are_the_cpus(antialiased):
    ours = gradients("cpu", antialiased=antialiased)
    theirs = gradients("gsplat", "cuda", antialiased=antialiased)
    assert set(ours) - set(theirs) == {"K"}  # gsplat has none
    w2c = make_cameras().w2c
    for grads in (ours, theirs):  # off the rigid motions the two extend the function differently
        grads["w2c"] = rigid_gradient(grads["w2c"], w2c)
    for name, found in theirs.items():
        assert (found - ours[name]).abs().max() < 2e-3 * ours[name].abs().max(), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="gsplat needs a CUDA device")
def test_gsplat_refuses_splats_that_lie_on_the_cpu():
    with pytest.raises(RuntimeError, match="to\\('cuda'\\)"):
        render(make_splats(), make_cameras(), backend="gsplat")
