"""The one door to the rasterisers: splats and cameras to pictures, on whichever backend fits.

`cpu` runs the Numba kernels of cpu_raster.py, `gsplat` its CUDA library (Apache-2.0, Ye et al., arXiv:2409.06765),
`reference` the slow twin in plain torch. `auto` takes gsplat where the splats lie on a CUDA device, else cpu.

Shapes: B cameras, N splats, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon import camera, cpu_raster, reference, sh
from recon.camera import Cameras
from recon.cpu_project import CX, CY, FX, FY, ROTATION, TRANSLATION
from recon.splats import NUM_GEOMETRY, Splats, to_rows

Backend = Literal["auto", "cpu", "gsplat", "reference"]


@dataclass(frozen=True, eq=False)
class Render:
    """Pictures of splats."""

    rgb: Float[Tensor, "b h w 3"]
    """Colour on the background; may pass 1 where splats are brighter than white."""
    alpha: Float[Tensor, "b h w"]
    """Coverage, 0 to 1."""
    depth: Float[Tensor, "b h w"]
    """z at which half of the light is stopped; 0 where alpha is below 0.5. On gsplat the mean z instead."""
    normal: Float[Tensor, "b h w 3"] | None
    """World normal of the splat there, towards the camera; 0 where depth is 0. None on gsplat."""


def render(
    splats: Splats,
    cameras: Cameras,
    *,
    background: Float[Tensor, " 3"] | None = None,
    sh_degree: int | None = None,
    backend: Backend = "auto",
    antialiased: bool = False,
) -> Render:
    """Render splats from every camera, on black unless a background colour is given.

    Differentiable with respect to the splats, the cameras (not their K on gsplat) and the background; depth and normal
    with respect to the splat that was chosen for the pixel. `sh_degree` leaves out higher harmonics. `antialiased`
    weakens splats smaller than a pixel (Mip-Splatting, arXiv:2311.16493). Raises a ValueError for splats that are not
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
    if rows.is_cuda:
        raise RuntimeError("The cpu backend renders splats on the CPU; move them with splats.to('cpu').")
    geometry = rows[:, :NUM_GEOMETRY].float()
    pictures = []
    for view, center in zip((cameras[b] for b in range(len(cameras))), cameras.centers, strict=True):
        directions = torch.nn.functional.normalize(splats.means - center, dim=-1)
        colors = sh.colors(splats.sh, directions, sh_degree).float()
        size = (view.height, view.width)
        pictures.append(_CpuRaster.apply(geometry, colors, view.K[0], view.w2c[0], size, antialiased))
    rgb, left, median = (torch.stack(maps) for maps in zip(*pictures, strict=True))
    return rgb, left, median


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
        grad_K = grad_w2c = None
        if with_camera:
            grad_K, grad_w2c = torch.zeros(3, 3), torch.zeros(4, 4)
            grad_K[[0, 1, 0, 1], [0, 1, 2, 2]] = torch.from_numpy(row[[FX, FY, CX, CY]]).float()
            grad_w2c[:3, :3] = torch.from_numpy(row[ROTATION:TRANSLATION]).float().view(3, 3)
            grad_w2c[:3, 3] = torch.from_numpy(row[TRANSLATION : TRANSLATION + 3]).float()
        return torch.from_numpy(grad), torch.from_numpy(sums[:, :3].copy()), grad_K, grad_w2c, None, None


def _render_gsplat(
    splats: Splats, cameras: Cameras, background: Tensor, sh_degree: int | None, antialiased: bool
) -> Render:
    if not torch.cuda.is_available():
        raise RuntimeError("The gsplat backend needs a CUDA device, and torch sees none; use backend='cpu'.")
    from gsplat import rasterization  # compiles CUDA code on first use

    rgbd, alpha, _ = rasterization(
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
