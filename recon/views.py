"""Pictures of one subject with their cameras: what reconstruction starts from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from recon import camera
from recon.camera import Cameras


@dataclass(frozen=True, eq=False)
class Views:
    """N pictures of H x W pixels of one subject."""

    images: Float[Tensor, "n h w 3"]
    """sRGB in [0,1]; straight colour as in an RGBA PNG, or the photo as it is where there are no alphas."""
    alphas: Float[Tensor, "n h w"] | None
    """How much of each pixel the subject covers, 0 to 1."""
    depths: Float[Tensor, "n h w"] | None
    """z of the surface in its camera, 0 where there is none."""
    cameras: Cameras
    """Where each picture was taken from."""
    points: Float[Tensor, "p 3"] | None = None
    """Sparse world points on the subject, where something (SfM) knows them."""

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int | slice | Tensor | list[int]) -> Views:
        """Return the views at an index (one view), a slice, or a tensor of indices or booleans."""
        if isinstance(index, int):
            index = [index]
        return Views(
            images=self.images[index],
            alphas=None if self.alphas is None else self.alphas[index],
            depths=None if self.depths is None else self.depths[index],
            cameras=self.cameras[index],
            points=self.points,
        )


def check(views: Views) -> None:
    """Raise a ValueError that names the first thing wrong: no views, sizes that disagree, values out of range."""
    num, size = len(views.images), (views.cameras.height, views.cameras.width)
    if num == 0:
        raise ValueError("There are no views; reconstruction needs pictures with cameras.")
    if len(views.cameras) != num:
        raise ValueError(f"{num} pictures have {len(views.cameras)} cameras; give one camera a picture.")
    if views.images.shape != (num, *size, 3):
        raise ValueError(
            f"Pictures are [N,H,W,3] with the cameras' size {size[0]} x {size[1]}, not {list(views.images.shape)}."
        )
    for name, maps in (("alphas", views.alphas), ("depths", views.depths)):
        if maps is not None and maps.shape != (num, *size):
            raise ValueError(f"The {name} are {list(maps.shape)}, but the pictures need {[num, *size]}.")
    if not bool(torch.isfinite(views.cameras.K).all() and torch.isfinite(views.cameras.w2c).all()):
        raise ValueError("A camera holds a value that is not finite; drop that view or estimate its camera again.")
    if not bool((views.cameras.K[:, [0, 1], [0, 1]] > 0).all()):
        raise ValueError("A camera's focal length is not positive; K is in pixels, [[fx,0,cx],[0,fy,cy],[0,0,1]].")
    if not bool(torch.isfinite(views.images).all()) or views.images.min() < 0 or views.images.max() > 1:
        raise ValueError("Pictures hold values outside [0,1]; divide 8-bit pictures by 255.")
    if views.alphas is not None and not bool(((views.alphas >= 0) & (views.alphas <= 1)).all()):
        raise ValueError("Alphas hold values outside [0,1]; divide 8-bit masks by 255.")
    if views.points is not None and not bool(torch.isfinite(views.points).all()):
        raise ValueError("A sparse point is not finite; drop it or pass points=None.")


def depth_points(views: Views, most: int = 300_000) -> Float[Tensor, "p 3"]:
    """Return the world points that the views' depths show; every so many pixels, so that they are about `most`."""
    assert views.depths is not None  # the caller's business
    found = (views.depths > 0).nonzero()  # P 3
    view, row, column = found[:: max(len(found) // most, 1)].unbind(dim=1)
    z = views.depths[view, row, column]
    K, c2w = views.cameras.K[view], views.cameras.c2w[view]
    x = (column + 0.5 - K[:, 0, 2]) / K[:, 0, 0]
    y = (row + 0.5 - K[:, 1, 2]) / K[:, 1, 1]
    local = z[:, None] * torch.stack([x, y, torch.ones_like(x)], dim=1)
    return torch.einsum("pij,pj->pi", c2w[:, :3, :3], local) + c2w[:, :3, 3]


def composited(views: Views, background: Float[Tensor, " 3"] | float = 1.0) -> Float[Tensor, "n h w 3"]:
    """Lay the subject on one background colour (white unless said); pictures without alphas come back as they are."""
    if views.alphas is None:
        return views.images
    alphas = views.alphas[..., None]
    return views.images * alphas + (1 - alphas) * background


def premultiplied(views: Views) -> Float[Tensor, "n h w 4"]:
    """Return colours times alpha, and alpha; views without alphas are solid everywhere."""
    if views.alphas is None:
        return torch.cat([views.images, torch.ones_like(views.images[..., :1])], dim=-1)
    alphas = views.alphas[..., None]
    return torch.cat([views.images * alphas, alphas], dim=-1)


def resized(views: Views, height: int, width: int) -> Views:
    """Return smaller (or larger) views by an area filter; colours and depths are averaged weighted by alpha."""
    if (height, width) == views.images.shape[1:3]:
        return views
    weights = None if views.alphas is None else views.alphas[..., None]
    alphas = None if weights is None else _area(weights, height, width)
    depths = None
    if views.depths is not None:
        depths = views.depths[..., None]  # 0 where nothing is seen, so the weight is alpha or "there is a depth"
        seen = (depths > 0).to(depths.dtype) if weights is None else weights * (depths > 0)
        depths = _ratio(_area(depths * seen, height, width), _area(seen, height, width))[..., 0]
    if weights is None or alphas is None:
        images = _area(views.images, height, width)
    else:
        images = _ratio(_area(views.images * weights, height, width), alphas).clamp(max=1.0)
    return Views(
        images=images,
        alphas=None if alphas is None else alphas[..., 0],
        depths=depths,
        cameras=camera.resized(views.cameras, height, width),
        points=views.points,
    )


def _area(maps: Float[Tensor, "n h w c"], height: int, width: int) -> Float[Tensor, "n h2 w2 c"]:
    return interpolate(maps.movedim(-1, 1), size=(height, width), mode="area").movedim(1, -1)


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide, with 0 where there is nothing to divide by."""
    return torch.where(denominator > 0, numerator / denominator.clamp(min=1e-12), torch.zeros_like(numerator))
