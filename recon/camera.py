"""Pinhole cameras, and the only axis flips of the project.

Camera axes are OpenCV's (x right, y down, z forward); the world is right-handed. Pixel (0, 0) covers [0,1]x[0,1]: its
centre is (0.5, 0.5). `w2c` takes world points to the camera, `c2w` back; both are rigid. K has no skew.

Shapes: N cameras, P points, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Cameras:
    """N cameras of one picture size."""

    K: Float[Tensor, "n 3 3"]
    """Intrinsics in pixels."""
    w2c: Float[Tensor, "n 4 4"]
    """World to camera, rigid."""
    height: int
    """Pixels."""
    width: int
    """Pixels."""

    def __post_init__(self) -> None:
        num = len(self.K)
        if self.K.shape != (num, 3, 3) or self.w2c.shape != (num, 4, 4):
            raise ValueError(
                f"Cameras need K [N,3,3] and w2c [N,4,4], not {list(self.K.shape)} and {list(self.w2c.shape)}."
            )
        if self.height < 1 or self.width < 1:
            raise ValueError(f"A picture has at least one pixel, not {self.height} x {self.width}.")

    def __len__(self) -> int:
        return len(self.K)

    def __getitem__(self, index: int | slice | Tensor | list[int]) -> Cameras:
        """Return the cameras at an index (one camera), a slice, or a tensor of indices or booleans."""
        if isinstance(index, int):
            index = [index]
        return Cameras(self.K[index], self.w2c[index], self.height, self.width)

    @property
    def c2w(self) -> Float[Tensor, "n 4 4"]:
        """Camera to world."""
        return invert_rigid(self.w2c)

    @property
    def centers(self) -> Float[Tensor, "n 3"]:
        """Where the cameras stand in the world."""
        return self.c2w[:, :3, 3]

    def to(self, device: torch.device | str) -> Cameras:
        """Copy to a device."""
        return Cameras(self.K.to(device), self.w2c.to(device), self.height, self.width)


def invert_rigid(matrix: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """Invert rotations with translations: (R, t) -> (R^T, -R^T t)."""
    rotation = matrix[..., :3, :3].transpose(-1, -2)
    translation = -rotation @ matrix[..., :3, 3:]
    return torch.cat([torch.cat([rotation, translation], -1), matrix[..., 3:, :]], -2)


def project(points: Float[Tensor, "p 3"], cameras: Cameras) -> tuple[Float[Tensor, "n p 2"], Float[Tensor, "n p"]]:
    """Return where world points fall in the pictures, in pixels, and their z in the cameras.

    Points with z <= 0 lie behind the camera; their pixels mean nothing.
    """
    rotation, translation = cameras.w2c[:, :3, :3], cameras.w2c[:, :3, 3]
    local = torch.einsum("nij,pj->npi", rotation, points) + translation[:, None]  # [N,P,3]
    pixels = torch.einsum("nij,npj->npi", cameras.K, local)
    return pixels[..., :2] / pixels[..., 2:], local[..., 2]


def pixel_rays(K: Float[Tensor, "*n 3 3"], height: int, width: int) -> Float[Tensor, "*n h w 3"]:
    """Return the rays through the pixels' centres in the camera's frame, as long as makes z 1."""
    v = torch.arange(height, dtype=K.dtype, device=K.device) + 0.5
    u = torch.arange(width, dtype=K.dtype, device=K.device) + 0.5
    x = (u - K[..., 0, 2, None]) / K[..., 0, 0, None]  # [*N,W]
    y = (v - K[..., 1, 2, None]) / K[..., 1, 1, None]  # [*N,H]
    shape = (*K.shape[:-2], height, width)
    x, y = x[..., None, :].expand(shape), y[..., :, None].expand(shape)
    return torch.stack([x, y, torch.ones_like(x)], dim=-1)


def rays(cameras: Cameras) -> tuple[Float[Tensor, "n h w 3"], Float[Tensor, "n h w 3"]]:
    """Return the origin and the unit direction, in the world, of the ray through every pixel's centre."""
    local = pixel_rays(cameras.K, cameras.height, cameras.width)
    c2w = cameras.c2w
    directions = torch.einsum("nij,nhwj->nhwi", c2w[:, :3, :3], local)
    origins = c2w[:, None, None, :3, 3].expand_as(directions)
    return origins, torch.nn.functional.normalize(directions, dim=-1)


def resized(cameras: Cameras, height: int, width: int) -> Cameras:
    """Return the same cameras with another number of pixels across the same field of view."""
    scale = cameras.K.new_tensor([width / cameras.width, height / cameras.height, 1.0])
    return Cameras(cameras.K * scale[:, None], cameras.w2c, height, width)


def opengl_to_opencv(c2w: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """Turn camera-to-world matrices from OpenGL's axes (x right, y up, z backward) to OpenCV's; its own inverse."""
    return c2w * c2w.new_tensor([1.0, -1.0, -1.0, 1.0])


def opencv_to_opengl(c2w: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """Turn camera-to-world matrices from OpenCV's axes to OpenGL's (Blender, nerfstudio); its own inverse."""
    return opengl_to_opencv(c2w)
