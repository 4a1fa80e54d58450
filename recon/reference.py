"""The slow, obvious rasteriser in plain torch: the truth that cpu_raster.py and gsplat are held against.

3D Gaussian splatting, Kerbl et al., arXiv:2308.04079; EWA projection, Zwicker et al., "EWA Splatting", TVCG 2002;
flat splats, Huang et al., arXiv:2403.17888.
Every pixel looks at every splat: for small pictures and few splats. All of it is differentiable by autograd.

Shapes: N splats, P pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon import sh
from recon.camera import Cameras
from recon.splats import Splats

MIN_ALPHA = 1 / 255
MIN_TRANSMITTANCE = 1e-3
MAX_ALPHA = 0.999
# px^2, about the variance of a pixel's own box (1/12). 3DGS takes 0.3, which makes silhouettes 1.3 px too fat, so that
# the fit pulls the surface in: at 256 px, 0.1 gives 0.6 dB more and a third less error of depth, and in a viewer that
# blurs by 0.3 but draws at 512 px 2.4 dB more. Flat splats have it too; 2DGS's 0.5 costs them 0.9 dB.
LOW_PASS = 0.1
NEAR = 0.01
FRUSTUM_MARGIN = 0.3
PAIRS_AT_ONCE = 2**22  # pixels times splats in memory


@dataclass(frozen=True, eq=False)
class Projected:
    """N splats on the picture plane of one camera."""

    means: Float[Tensor, "n 2"]
    """Centres in pixels."""
    conics: Float[Tensor, "n 2 2"]
    """Inverse covariances, 1/px^2."""
    depths: Float[Tensor, " n"]
    """z of the centres."""
    opacities: Float[Tensor, " n"]
    """0 to 1; 0 for splats nearer than NEAR."""


def rasterize(
    splats: Splats,
    cameras: Cameras,
    *,
    sh_degree: int | None = None,
    antialiased: bool = False,
    min_alpha: float = MIN_ALPHA,
    min_transmittance: float = MIN_TRANSMITTANCE,
) -> tuple[Float[Tensor, "b h w 3"], Float[Tensor, "b h w"], Int[Tensor, "b h w"]]:
    """Return the picture over black, the transmittance, and the splat at which that falls below a half (-1: none).

    A contribution counts where its alpha is at least `min_alpha` and the transmittance before it is above
    `min_transmittance`; zeros turn the two cut-offs off.
    """
    pictures = []
    for b in range(len(cameras)):
        camera = cameras[b]
        flat = project(splats, camera, antialiased=antialiased)
        directions = torch.nn.functional.normalize(splats.means - camera.centers, dim=-1)
        colors = sh.colors(splats.sh, directions, sh_degree)
        order = torch.argsort(flat.depths, stable=True)
        pixels = _pixel_centers(camera)  # [P,2]
        chunks = pixels.split(max(PAIRS_AT_ONCE // max(len(splats), 1), 1))
        parts = [_blend(chunk, flat, colors, order, min_alpha, min_transmittance) for chunk in chunks]
        pictures.append([torch.cat(part) for part in zip(*parts, strict=True)])
    rgb, left, median = (torch.stack(maps) for maps in zip(*pictures, strict=True))
    shape = (len(cameras), cameras.height, cameras.width)
    return rgb.view(*shape, 3), left.view(shape), median.view(shape)


def project(splats: Splats, camera: Cameras, *, antialiased: bool = False) -> Projected:
    """Project Gaussians through one camera: Sigma' = J R Sigma R^t J^t + LOW_PASS I (3DGS, Eq. 5)."""
    rotation, translation, K = camera.w2c[0, :3, :3], camera.w2c[0, :3, 3], camera.K[0]
    local = splats.means @ rotation.T + translation  # [N,3]
    x, y, z = local.unbind(-1)
    visible = z > NEAR
    z = torch.where(visible, z, torch.ones_like(z))
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    slope_x, slope_y = _clamped(x / z, cx, fx, camera.width), _clamped(y / z, cy, fy, camera.height)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [
            torch.stack([fx / z, zero, -fx * slope_x / z], dim=-1),
            torch.stack([zero, fy / z, -fy * slope_y / z], dim=-1),
        ],
        dim=-2,
    )  # [N,2,3]
    axes = quats_to_rotations(splats.quats) * splats.scales[:, None, :]  # [N,3,3], columns as long as the scales
    spread = jacobian @ rotation @ axes  # [N,2,3]
    plain = spread @ spread.transpose(1, 2)
    covariance = plain + LOW_PASS * torch.eye(2).to(plain)
    opacities = splats.opacities
    if antialiased:  # Mip-Splatting, arXiv:2311.16493
        opacities = opacities * (torch.det(plain) / torch.det(covariance)).clamp(min=1e-12).sqrt()
    return Projected(
        means=torch.stack([fx * x / z + cx, fy * y / z + cy], dim=-1),
        conics=torch.linalg.inv(covariance),
        depths=local[:, 2],
        opacities=torch.where(visible, opacities, torch.zeros_like(opacities)),
    )


def quats_to_rotations(quats: Float[Tensor, "n 4"]) -> Float[Tensor, "n 3 3"]:
    """Turn quaternions wxyz of any length into rotation matrices."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=-1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], dim=-1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def _clamped(slope: Tensor, center: Tensor, focal: Tensor, size: int) -> Tensor:
    """Keep x/z at most a margin outside the picture, where the linear projection still holds."""
    margin = 0.5 * FRUSTUM_MARGIN * size
    return torch.minimum(torch.maximum(slope, -(center + margin) / focal), (size - center + margin) / focal)


def _pixel_centers(camera: Cameras) -> Float[Tensor, "p 2"]:
    v = torch.arange(camera.height).to(camera.K) + 0.5
    u = torch.arange(camera.width).to(camera.K) + 0.5
    return torch.stack(torch.meshgrid(u, v, indexing="xy"), dim=-1).reshape(-1, 2)


def _blend(
    pixels: Float[Tensor, "p 2"],
    flat: Projected,
    colors: Float[Tensor, "n 3"],
    order: Int[Tensor, " n"],
    min_alpha: float,
    min_transmittance: float,
) -> tuple[Float[Tensor, "p 3"], Float[Tensor, " p"], Int[Tensor, " p"]]:
    offsets = pixels[:, None] - flat.means[order]  # [P,N,2]
    power = -0.5 * torch.einsum("pni,nij,pnj->pn", offsets, flat.conics[order], offsets)
    alphas = (flat.opacities[order] * power.exp()).clamp(max=MAX_ALPHA)
    before, after = _transmittances(alphas, min_alpha, min_transmittance)
    rgb = (before - after) @ colors[order]
    left = after[:, -1] if len(order) else pixels.new_ones(len(pixels))
    crossing = (before >= 0.5) & (after < 0.5)  # [P,N]
    if len(order) == 0:
        return rgb, left, torch.full((len(pixels),), -1, device=pixels.device)
    median = torch.where(crossing.any(dim=1), order[crossing.to(torch.uint8).argmax(dim=1)], -1)
    return rgb, left, median


def _transmittances(
    alphas: Float[Tensor, "p n"], min_alpha: float, min_transmittance: float
) -> tuple[Float[Tensor, "p n"], Float[Tensor, "p n"]]:
    """Return the transmittance before and after every splat that counts."""
    alphas = torch.where(alphas >= min_alpha, alphas, torch.zeros_like(alphas))
    alphas = torch.where(_before(alphas) > min_transmittance, alphas, torch.zeros_like(alphas))
    before = _before(alphas)
    return before, before * (1 - alphas)


def _before(alphas: Float[Tensor, "p n"]) -> Float[Tensor, "p n"]:
    """Transmittance in front of every splat."""
    ones = torch.ones_like(alphas[:, :1])
    return torch.cat([ones, (1 - alphas).cumprod(dim=1)[:, :-1]], dim=1)


def rasterize_2dgs(
    splats: Splats,
    cameras: Cameras,
    *,
    sh_degree: int | None = None,
    min_alpha: float = MIN_ALPHA,
    min_transmittance: float = MIN_TRANSMITTANCE,
) -> tuple[Float[Tensor, "b h w 3"], Float[Tensor, "b h w"], Float[Tensor, "b 6 h w"]]:
    """Draw splats as discs (their third scale is not read): the picture over black, the transmittance, and maps.

    The maps are sums over a ray's splats by their weight w, of world normals towards the camera (3), of depths and of
    squared depths; the last is the depth at which the transmittance falls below a half, 0 where it does not.
    """
    pictures = []
    for b in range(len(cameras)):
        camera = cameras[b]
        directions = torch.nn.functional.normalize(splats.means - camera.centers, dim=-1)
        colors = sh.colors(splats.sh, directions, sh_degree)
        pixels = _pixel_centers(camera)  # [P,2]
        chunks = pixels.split(max(PAIRS_AT_ONCE // max(len(splats), 1), 1))
        parts = [_blend_2dgs(chunk, splats, colors, camera, min_alpha, min_transmittance) for chunk in chunks]
        pictures.append([torch.cat(part) for part in zip(*parts, strict=True)])
    rgb, left, maps = (torch.stack(each) for each in zip(*pictures, strict=True))
    shape = (len(cameras), cameras.height, cameras.width)
    return rgb.view(*shape, 3), left.view(shape), maps.view(*shape, 6).movedim(-1, 1)


def _blend_2dgs(
    pixels: Float[Tensor, "p 2"],
    splats: Splats,
    colors: Float[Tensor, "n 3"],
    camera: Cameras,
    min_alpha: float,
    min_transmittance: float,
) -> tuple[Float[Tensor, "p 3"], Float[Tensor, " p"], Float[Tensor, "p 6"]]:
    rotation, translation, K = camera.w2c[0, :3, :3], camera.w2c[0, :3, 3], camera.K[0]
    order = torch.argsort(splats.means.detach() @ rotation[2] + translation[2], stable=True)
    splats, colors = splats[order], colors[order]
    centers = splats.means @ rotation.T + translation  # [N,3], in the camera's frame from here
    own_axes = quats_to_rotations(splats.quats)  # [N,3,3], columns, in the world
    axes = rotation @ own_axes[:, :, :2] * splats.scales[:, None, :2]  # [N,3,2]
    rays = torch.cat([(pixels - K[:2, 2]) / K[[0, 1], [0, 1]], torch.ones_like(pixels[:, :1])], dim=1)  # [P,3], z = 1

    # Where the rays meet the planes, n . (t ray - center) = 0, by the axes: the dual basis gives the coordinates.
    first, second = axes.unbind(dim=2)
    normals = torch.linalg.cross(first, second)
    duals = torch.stack([torch.linalg.cross(second, normals), torch.linalg.cross(normals, first)], dim=1)
    duals = duals / normals.square().sum(dim=-1)[:, None, None]  # [N,2,3]
    t = (normals * centers).sum(dim=-1) / (rays @ normals.T)  # [P,N]
    offsets = t[..., None] * rays[:, None] - centers  # [P,N,3]
    on_disc = torch.einsum("pni,nki->pnk", offsets, duals).square().sum(dim=-1)
    on_disc = torch.where(t > 0, on_disc, torch.full_like(on_disc, torch.inf))
    z = torch.where(centers[:, 2] > NEAR, centers[:, 2], torch.ones_like(centers[:, 2]))
    projected = centers[:, :2] / z[:, None] * K[[0, 1], [0, 1]] + K[:2, 2]
    around = (pixels[:, None] - projected).square().sum(dim=-1) / LOW_PASS
    alphas = (splats.opacities * (-0.5 * torch.minimum(on_disc, around)).exp()).clamp(max=MAX_ALPHA)

    # Discs that reach behind the camera, where they are no fainter than min_alpha, are left out.
    reach = 2 * (splats.opacities.detach() / max(min_alpha, 1e-6)).log()
    tilt = (axes[:, 2] / z[:, None]).detach().square().sum(dim=-1)
    seen = (centers[:, 2] > NEAR) & (reach * tilt < 0.99)
    alphas = torch.where(seen, alphas, torch.zeros_like(alphas))
    before, after = _transmittances(alphas, min_alpha, min_transmittance)
    weights = before - after
    left = after[:, -1] if len(order) else pixels.new_ones(len(pixels))

    depths = torch.where(on_disc <= around, t, centers[:, 2])
    away = (normals * centers).sum(dim=-1, keepdim=True) > 0
    facing = torch.where(away, -own_axes[:, :, 2], own_axes[:, :, 2])
    crossing = (before >= 0.5) & (after < 0.5)
    sums = [(weights * depths).sum(dim=1), (weights * depths.square()).sum(dim=1)]
    sums.append(torch.where(crossing, depths, torch.zeros_like(depths)).sum(dim=1))
    return weights @ colors, left, torch.cat([weights @ facing, torch.stack(sums, dim=1)], dim=1)
