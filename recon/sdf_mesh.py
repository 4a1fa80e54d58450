"""A signed distance field to a closed, coloured triangle mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import trimesh

from recon import tsdf
from recon.config import MeshConfig
from recon.finish import finished
from recon.mesh import surface
from recon.mesh_depth import DepthMaps, depth_cameras, seen_span, up_direction
from recon.sdf_field import BAND, SdfField, draw
from recon.views import Views


def extract(
    field: SdfField,
    views: Views,
    config: MeshConfig,
    *,
    progress: Callable[[int, int, dict], None] | None = None,
) -> trimesh.Trimesh:
    """Extract a closed mesh in the views' world frame, with a texture or vertex colours from the views.

    What stands on flat ground gets a flat foot: nothing lies lower than what the views see. The field's grid decides
    how fine the surface is; of the config, `resolution`, `truncation` and `extra_views` are not read. Raises a
    ValueError where the field encloses nothing.
    """
    report = progress or (lambda step, total, info: None)
    cameras, _ = depth_cameras(views.cameras, np.zeros(3), 0)
    _, alphas, depths = draw(field, cameras)
    report(1, 3, {})
    up = up_direction(cameras)
    low, _ = seen_span(DepthMaps(depths.cpu().numpy(), alphas.cpu().numpy(), cameras, len(cameras)), up)
    truncation = BAND * field.grid.voxel
    values = np.maximum(field.dense(), tsdf.slab(field.grid, up, low, np.inf, truncation))
    fine = surface(tsdf.closed(values, truncation), field.grid, replace(config, truncation=BAND))
    report(2, 3, {})
    mesh = finished(fine, views, config, field.grid.voxel)
    report(3, 3, {})
    return mesh
