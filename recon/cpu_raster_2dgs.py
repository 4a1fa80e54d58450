"""The CPU rasteriser of flat splats (2DGS, arXiv:2403.17888): as cpu_raster.py, with normals and depths.

The same threads, lists and cut-offs; its slow twin is reference.rasterize_2dgs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from recon.cpu_blend_2dgs import NUM_MAPS, bin_pairs_2dgs, blend_tiles_2dgs, gather_pairs_2dgs, unblend_tiles_2dgs
from recon.cpu_project import NUM_CAMERA, Z
from recon.cpu_project_2dgs import NUM_PAIR_2DGS, NUM_SCREEN_2DGS, project_2dgs, project_2dgs_backward
from recon.cpu_raster import MIN_ALPHA, MIN_TRANSMITTANCE, Lists, _sort_and_bin, run
from recon.splats import NUM_GEOMETRY


@dataclass(frozen=True, eq=False)
class FlatFrame:
    """A picture of flat splats, and what its backward pass reads."""

    rgb: np.ndarray
    """float32 [H,W,3], over black."""
    left: np.ndarray
    """float32 [H,W], transmittance: the share of the background that is seen."""
    maps: np.ndarray
    """float32 [6,H,W], sums over a ray's splats by their weight: of world normals (3), of depths less the shift, of the
    squares of those; last the depth at which the transmittance falls below a half, 0 where it does not."""
    splats: np.ndarray
    camera: np.ndarray
    screen: np.ndarray
    lists: Lists
    shift: np.float32
    """A depth amid the splats."""
    min_alpha: np.float32
    min_transmittance: np.float32


def forward(
    splats: np.ndarray,
    colors: np.ndarray,
    camera: np.ndarray,
    height: int,
    width: int,
    *,
    min_alpha: float = MIN_ALPHA,
    min_transmittance: float = MIN_TRANSMITTANCE,
) -> FlatFrame:
    """Render splat rows [N,11+] as discs, with their colours [N,3] seen from here; see cpu_raster.forward."""
    num = len(splats)
    low, thin = np.float32(min_alpha), np.float32(min_transmittance)
    screen, box = np.empty((num, NUM_SCREEN_2DGS), np.float32), np.empty((num, 4), np.int32)
    run(project_2dgs, splats, colors, camera, height, width, np.float32(math.log(low)), screen, box)
    lists = _sort_and_bin(screen, box, height, width, bin_pairs_2dgs)
    shift = np.float32(screen[lists.counts > 0, Z].mean()) if lists.counts.any() else np.float32(0)
    rgb, left = np.empty((height, width, 3), np.float32), np.empty((height, width), np.float32)
    maps = np.empty((NUM_MAPS, height, width), np.float32)
    run(blend_tiles_2dgs, lists.tile_starts, lists.splat_of, lists.rows_of, screen, shift, low, thin, rgb, left, maps)
    return FlatFrame(rgb, left, maps, splats, camera, screen, lists, shift, low, thin)


def backward(
    frame: FlatFrame,
    grad_rgb: np.ndarray,
    grad_left: np.ndarray,
    grad_maps: np.ndarray,
    *,
    with_camera: bool = False,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take gradients of the picture and of its maps back; results as cpu_raster.backward's, sums [N, NUM_PAIR_2DGS]."""
    lists, num = frame.lists, len(frame.splats)
    pairs = np.empty((len(lists.splat_of), NUM_PAIR_2DGS), np.float32)
    picture = (frame.rgb, frame.left, frame.maps, grad_rgb, grad_left, grad_maps)
    settings = (frame.shift, frame.min_alpha, frame.min_transmittance)
    run(unblend_tiles_2dgs, lists.tile_starts, lists.splat_of, lists.rows_of, frame.screen, *settings, *picture, pairs)
    sums = np.empty((num, NUM_PAIR_2DGS), np.float32)
    grad = np.empty((num, NUM_GEOMETRY), np.float32) if out is None else out
    run(gather_pairs_2dgs, lists.offsets, lists.counts, lists.slots, pairs, sums)
    grad_camera = np.zeros((torch.get_num_threads(), NUM_CAMERA if with_camera else 0))
    run(project_2dgs_backward, frame.splats, frame.camera, frame.screen, sums, grad, grad_camera)
    return sums, grad, grad_camera.sum(axis=0)
