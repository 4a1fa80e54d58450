"""The one door to the rasterisers: splats and cameras to pictures, on whichever backend fits.

`cpu` runs the Numba kernels of cpu_raster.py, `gsplat` its CUDA library (Apache-2.0, Ye et al., arXiv:2409.06765),
`reference` the slow twin in plain torch. `auto` takes gsplat where the splats lie on a CUDA device, else cpu.

Shapes: B cameras, N splats, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon import camera, cpu_raster, cpu_raster_2dgs, reference, sh
from recon.camera import Cameras
from recon.cpu_project import CX, CY, FX, FY, ROTATION, TRANSLATION
from recon.flat_losses import LEAST_ALPHA, distortion, mean_depth
from recon.splats import NUM_GEOMETRY, Splats, to_rows

Backend = Literal["auto", "cpu", "gsplat", "reference"]
Primitive = Literal["3dgs", "2dgs"]


@dataclass(frozen=True, eq=False)
class Render:
    """Pictures of splats."""

    rgb: Float[Tensor, "b h w 3"]
    """Colour on the background; may pass 1 where splats are brighter than white."""
    alpha: Float[Tensor, "b h w"]
    """Coverage, 0 to 1."""
    depth: Float[Tensor, "b h w"]
    """z at which half of the light is stopped; 0 where alpha is below 0.5. On gsplat ellipsoids have the mean z."""
    normal: Float[Tensor, "b h w 3"] | None
    """World normal of the splat there, towards the camera; 0 where depth is 0. None for ellipsoids on gsplat.

    Of flat splats the sum of all normals on the ray by their share of the pixel: as long as alpha where they agree.
    """
    mean_depth: Float[Tensor, "b h w"] | None = None
    """Mean z of a ray's splats by their share of the pixel, 0 where alpha is below 0.5; of flat splats alone."""
    distortion: Float[Tensor, "b h w"] | None = None
    """Sum over pairs of a ray's splats of the product of their shares and their squared distance in z; of flat splats
    alone."""


def render(
    splats: Splats,
    cameras: Cameras,
    *,
    background: Float[Tensor, " 3"] | None = None,
    sh_degree: int | None = None,
    backend: Backend = "auto",
    primitive: Primitive = "3dgs",
    antialiased: bool = False,
) -> Render:
    """Render splats from every camera, on black unless a background colour is given.

    Differentiable with respect to the splats, the cameras (not their K on gsplat) and the background; depth and normal
    with respect to the splat that was chosen for the pixel. `sh_degree` leaves out higher harmonics. `primitive` 2dgs
    draws them as discs (arXiv:2403.17888), whose third scale is not read; depths on a disc are those of its plane, on
    gsplat those of its centre. `antialiased` weakens ellipsoids smaller than a pixel (Mip-Splatting, arXiv:2311.16493).
    Raises a ValueError for splats that are not
    finite or a degree that they do not have, and a RuntimeError where the backend cannot run.
    """
    if sh_degree is not None and not 0 <= sh_degree <= splats.sh_degree:
        raise ValueError(f"These splats have harmonics of degree {splats.sh_degree}; {sh_degree} cannot be rendered.")
    rows = to_rows(splats)
    if not bool(torch.isfinite(rows.detach().sum())):
        bad = int((~torch.isfinite(rows.detach()).all(dim=1)).sum())
        raise ValueError(f"{bad} of {len(splats)} splats hold values that are not finite.")
    background = rows.new_zeros(3) if background is None else background.to(rows)
    if backend == "auto":
        backend = "gsplat" if rows.is_cuda else "cpu"
    if primitive == "2dgs":
        return _render_2dgs(splats, rows, cameras, background, sh_degree, backend)
    match backend:
        case "gsplat":
            return _render_gsplat(splats, cameras, background, sh_degree, antialiased)
        case "cpu":
            rgb, left, median = _rasterize_cpu(splats, rows, cameras, sh_degree, antialiased)
        case "reference":
            rgb, left, median = reference.rasterize(splats, cameras, sh_degree=sh_degree, antialiased=antialiased)
    surfaces = [_surface(splats, cameras[b], median[b]) for b in range(len(cameras))]
    return Render(
        rgb=rgb + left[..., None] * background,
        alpha=1 - left,
        depth=torch.stack([depth for depth, _ in surfaces]),
        normal=torch.stack([normal for _, normal in surfaces]),
    )


def _surface(
    splats: Splats, view: Cameras, median: Int[Tensor, "h w"]
) -> tuple[Float[Tensor, "h w"], Float[Tensor, "h w 3"]]:
    """Return z and normal where each pixel's ray is deepest inside its median splat.

    In the splat's own axes, scaled so that it is a unit ball at m, the ray is t d and passes the centre at
    t = (d . m) / (d . d). The plain z of the centre would make terraces of wide splats.
    """
    hit = median >= 0
    index = median[hit].long()
    origins, directions = camera.rays(view)
    ray = directions[0][hit]  # [M,3]
    axes = reference.quats_to_rotations(splats.quats[index])  # [M,3,3], columns
    scales = splats.scales[index]
    d = torch.einsum("mji,mj->mi", axes, ray) / scales
    m = torch.einsum("mji,mj->mi", axes, splats.means[index] - origins[0][hit]) / scales
    distance = (d * m).sum(dim=-1) / (d * d).sum(dim=-1)
    depth = distance * (ray @ view.w2c[0, 2, :3])
    shortest = axes.gather(2, scales.argmin(dim=1)[:, None, None].expand(-1, 3, 1))[..., 0]
    normal = torch.where((shortest * ray).sum(dim=-1, keepdim=True) > 0, -shortest, shortest)
    depths = depth.new_zeros(median.shape).masked_scatter(hit, depth)
    normals = depth.new_zeros(*median.shape, 3).masked_scatter(hit[..., None], normal)
    return depths, normals


def _rasterize_cpu(
    splats: Splats, rows: Tensor, cameras: Cameras, sh_degree: int | None, antialiased: bool
) -> tuple[Tensor, Tensor, Tensor]:
    geometry = _on_cpu(rows)
    pictures = []
    for b in range(len(cameras)):
        view = cameras[b]
        colors, size = _colors(splats, view, sh_degree).float(), (view.height, view.width)
        pictures.append(_CpuRaster.apply(geometry, colors, view.K[0], view.w2c[0], size, antialiased))
    rgb, left, median = (torch.stack(maps) for maps in zip(*pictures, strict=True))
    return rgb, left, median


def _on_cpu(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n 11"]:
    """Return the rows' geometry as the kernels read it."""
    if rows.is_cuda:
        raise RuntimeError("The cpu backend renders splats on the CPU; move them with splats.to('cpu').")
    return rows[:, :NUM_GEOMETRY].float()


def _colors(splats: Splats, view: Cameras, sh_degree: int | None) -> Float[Tensor, "n 3"]:
    """Return the colours that one camera sees."""
    directions = torch.nn.functional.normalize(splats.means - view.centers, dim=-1)
    return sh.colors(splats.sh, directions, sh_degree)


def _render_2dgs(
    splats: Splats, rows: Tensor, cameras: Cameras, background: Tensor, sh_degree: int | None, backend: Backend
) -> Render:
    match backend:
        case "gsplat":
            rgb, left, maps, shift = _rasterize_2dgs_gsplat(splats, cameras, sh_degree)
        case "reference":
            rgb, left, maps = reference.rasterize_2dgs(splats, cameras, sh_degree=sh_degree)
            shift = torch.zeros_like(left)
        case _:
            geometry = _on_cpu(rows)
            pictures = []
            for b in range(len(cameras)):
                view = cameras[b]
                colors, size = _colors(splats, view, sh_degree).float(), (view.height, view.width)
                pictures.append(_CpuRaster2dgs.apply(geometry, colors, view.K[0], view.w2c[0], size))
            rgb, left, maps, shift = (torch.stack(parts) for parts in zip(*pictures, strict=True))
            shift = shift[:, None, None]
    alpha, (depth_sum, square_sum, median) = 1 - left, maps[:, 3:].unbind(1)
    return Render(
        rgb=rgb + left[..., None] * background,
        alpha=alpha,
        depth=torch.where(alpha >= LEAST_ALPHA, median, torch.zeros_like(median)),
        normal=maps[:, :3].movedim(1, -1),
        mean_depth=mean_depth(alpha, depth_sum, shift),
        distortion=distortion(alpha, depth_sum, square_sum),
    )


class _CpuRaster2dgs(torch.autograd.Function):
    """The Numba kernels for flat splats under autograd, one camera a call; depths in its maps are less the shift."""

    @staticmethod
    def forward(ctx, geometry, colors, K, w2c, size):
        arrays = (geometry.detach().contiguous().numpy(), colors.detach().contiguous().numpy())
        frame = cpu_raster_2dgs.forward(*arrays, cpu_raster.camera_row(K, w2c), *size)
        ctx.frame = frame
        shift = torch.tensor(float(frame.shift))
        ctx.mark_non_differentiable(shift)
        return torch.from_numpy(frame.rgb), torch.from_numpy(frame.left), torch.from_numpy(frame.maps), shift

    @staticmethod
    def backward(ctx, *grads):
        arrays = [np.ascontiguousarray(grad.numpy()) for grad in grads[:3]]
        with_camera = any(ctx.needs_input_grad[2:4])
        sums, grad, row = cpu_raster_2dgs.backward(ctx.frame, *arrays, with_camera=with_camera)
        grad_K, grad_w2c = _camera_gradients(row) if with_camera else (None, None)
        return torch.from_numpy(grad), torch.from_numpy(sums[:, :3].copy()), grad_K, grad_w2c, None


class _CpuRaster(torch.autograd.Function):
    """The Numba kernels under autograd, one camera a call."""

    @staticmethod
    def forward(ctx, geometry, colors, K, w2c, size, antialiased):
        arrays = (geometry.detach().contiguous().numpy(), colors.detach().contiguous().numpy())
        frame = cpu_raster.forward(*arrays, cpu_raster.camera_row(K, w2c), *size, antialiased=antialiased)
        ctx.frame = frame
        median = torch.from_numpy(frame.median)
        ctx.mark_non_differentiable(median)
        return torch.from_numpy(frame.rgb), torch.from_numpy(frame.left), median

    @staticmethod
    def backward(ctx, *grads):
        grad_rgb, grad_left, _ = grads
        with_camera = any(ctx.needs_input_grad[2:4])
        arrays = (np.ascontiguousarray(grad_rgb.numpy()), np.ascontiguousarray(grad_left.numpy()))
        sums, grad, row = cpu_raster.backward(ctx.frame, *arrays, with_camera=with_camera)
        grad_K, grad_w2c = _camera_gradients(row) if with_camera else (None, None)
        return torch.from_numpy(grad), torch.from_numpy(sums[:, :3].copy()), grad_K, grad_w2c, None, None


def _camera_gradients(row: np.ndarray) -> tuple[Float[Tensor, "3 3"], Float[Tensor, "4 4"]]:
    """Undo `cpu_raster.camera_row` for gradients: those of K and w2c."""
    grad_K, grad_w2c = torch.zeros(3, 3), torch.zeros(4, 4)
    grad_K[[0, 1, 0, 1], [0, 1, 2, 2]] = torch.from_numpy(row[[FX, FY, CX, CY]]).float()
    grad_w2c[:3, :3] = torch.from_numpy(row[ROTATION:TRANSLATION]).float().view(3, 3)
    grad_w2c[:3, 3] = torch.from_numpy(row[TRANSLATION : TRANSLATION + 3]).float()
    return grad_K, grad_w2c


def has_gsplat() -> bool:
    """Tell whether gsplat can draw here: a CUDA device, and kernels that are compiled or can be."""
    if not torch.cuda.is_available():
        return False
    try:
        from gsplat.cuda._backend import _C as kernels  # type: ignore[attr-defined] (compiled on first use)
    except ImportError:
        return False
    return kernels is not None


def _gsplat(splats: Splats) -> ModuleType:
    """Return the library with its kernels compiled; raise a RuntimeError where it cannot draw these splats."""
    if not torch.cuda.is_available():
        raise RuntimeError("The gsplat backend needs a CUDA device, and torch sees none; use backend='cpu'.")
    if not splats.means.is_cuda:
        raise RuntimeError("The gsplat backend renders splats on a CUDA device; move them with splats.to('cuda').")
    if not has_gsplat():
        raise RuntimeError("gsplat has no CUDA toolkit (nvcc) to compile its kernels with; use backend='cpu'.")
    import gsplat

    return gsplat


def _render_gsplat(
    splats: Splats, cameras: Cameras, background: Tensor, sh_degree: int | None, antialiased: bool
) -> Render:
    """Draw with gsplat, whose rays end where the next splat would leave 1e-4 of the light or less, without that splat.

    Ours draw it: behind splats of opacity 0.99 pictures may differ by 1 %, behind those of a usual fit by 0.1 %.
    """
    rgbd, alpha, _ = _gsplat(splats).rasterization(
        means=splats.means,
        quats=splats.quats,
        scales=splats.scales,
        opacities=splats.opacities,
        colors=splats.sh,
        viewmats=cameras.w2c,
        Ks=cameras.K,
        width=cameras.width,
        height=cameras.height,
        sh_degree=splats.sh_degree if sh_degree is None else sh_degree,
        eps2d=reference.LOW_PASS,
        packed=False,
        absgrad=False,
        render_mode="RGB+ED",
        rasterize_mode="antialiased" if antialiased else "classic",
    )  # [B,H,W,4], [B,H,W,1]
    alpha = alpha[..., 0]
    depth = torch.where(alpha >= 0.5, rgbd[..., 3], torch.zeros_like(alpha))
    return Render(rgbd[..., :3] + (1 - alpha[..., None]) * background, alpha, depth, None)


def _rasterize_2dgs_gsplat(
    splats: Splats, cameras: Cameras, sh_degree: int | None
) -> tuple[Float[Tensor, "b h w 3"], Float[Tensor, "b h w"], Float[Tensor, "b 6 h w"], Float[Tensor, "b 1 1"]]:
    """Return what reference.rasterize_2dgs does with depths of the discs' centres less a shift, and the shift.

    gsplat's low-pass is 0.5 px^2, the paper's, where ours is LOW_PASS: small discs look wider. Its own distortion is
    the absolute one; the squares here ride along as a colour.
    """
    gsplat = _gsplat(splats)
    colors = torch.stack([_colors(splats, cameras[b], sh_degree) for b in range(len(cameras))])  # [B,N,3]
    depths = torch.einsum("bi,ni->bn", cameras.w2c[:, 2, :3], splats.means) + cameras.w2c[:, 2, 3:]
    shift = depths.detach().mean(dim=1, keepdim=True)
    # Four more make eight with gsplat's depth: it pads other numbers with memory that may hold NaN.
    more = torch.stack([(depths - shift).square(), depths - shift], dim=-1)
    more = torch.nn.functional.pad(more, (0, 2))
    drawn, alpha, normal, _, _, median, _ = gsplat.rasterization_2dgs(
        means=splats.means,
        quats=splats.quats,
        scales=splats.scales,
        opacities=splats.opacities,
        colors=torch.cat([colors, more], dim=-1),
        viewmats=cameras.w2c,
        Ks=cameras.K,
        width=cameras.width,
        height=cameras.height,
        render_mode="RGB+D",
    )  # [B,H,W,8], [B,H,W,1], [B,H,W,3], ..., [B,H,W,1]
    maps = torch.cat([normal, drawn[..., 4:5], drawn[..., 3:4], median], dim=-1)
    return drawn[..., :3], 1 - alpha[..., 0], maps.movedim(-1, 1), shift[..., None]
