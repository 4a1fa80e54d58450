"""How far the frames of a clip agree with each other on one solid: by its own depths, moved from camera to camera."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .condition import orbit_cameras, orbit_rows
from .data import Orbit
from .rays import orbit_radius

COLOR_OFF, DEPTH_OFF = 0.1, 0.05  # a channel, on average, and in units of the scene
COVERED = 0.5


def agreement(clips: Float[Tensor, "k f 5 h w"], orbit: Orbit) -> Float[Tensor, " k"]:
    """Return the share of each clip's covered pixels that, moved by their depth to the next camera, find their own
    colour and their own depth there. Pixels that are hidden there fail, so true clips stay below 1 as well."""
    k, f, _, height, width = clips.shape
    c2w, K, _ = orbit_cameras(orbit_rows([orbit], clips.device), f, height, width)
    c2w, K = c2w[0].float(), K[0].float()
    depth = 2 * clips[:, :, 4:] - 1 + orbit_radius(orbit.fov_deg)  # k f 1 h w, as data.decode_depth has it
    v, u = torch.meshgrid(*(torch.arange(n, device=clips.device) + 0.5 for n in (height, width)), indexing="ij")
    rays = torch.linalg.solve(K, torch.stack([u, v, torch.ones_like(u)]).flatten(1))  # 3 n
    on = torch.linalg.inv(c2w.roll(-1, 0)) @ c2w  # f 4 4, from each camera to the next
    moved = on[:, :3, :3] @ (rays * depth.reshape(k, f, 1, -1)) + on[:, :3, 3:]  # k f 3 n
    place = (K @ (moved / moved[:, :, 2:]))[:, :, :2] / K.new_tensor([width, height])[:, None]
    grid = (2 * place - 1).movedim(2, 3).reshape(k * f, height, width, 2)
    beside = torch.cat([clips[:, :, :4], depth], dim=2).roll(-1, 1)
    seen = F.grid_sample(beside.flatten(0, 1), grid, align_corners=False).view(k, f, 5, height, width)
    agrees = (seen[:, :, :3] - clips[:, :, :3]).abs().mean(2) < COLOR_OFF
    agrees &= (seen[:, :, 4] - moved[:, :, 2].view(k, f, height, width)).abs() < DEPTH_OFF
    agrees &= seen[:, :, 3] > COVERED
    covered = clips[:, :, 3] > COVERED
    if not orbit.is_closed:  # the last frame has no next one
        agrees, covered = agrees[:, :-1], covered[:, :-1]
    return (agrees & covered).sum((1, 2, 3)) / covered.sum((1, 2, 3)).clamp(min=1)
