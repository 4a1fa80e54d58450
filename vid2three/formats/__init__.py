"""Files in and out, one module a format. Each turns the world's frame (z up, front -y) to its own and says which.

The tables say which ending is written by what; the modules hold their own entries.
"""

from __future__ import annotations

from vid2three.formats import glb, obj, ply, stl

MESH_LOADERS = {**glb.MESH_LOADERS}
MESH_SAVERS = {**glb.MESH_SAVERS, **obj.MESH_SAVERS, **ply.MESH_SAVERS, **stl.MESH_SAVERS}
SPLAT_LOADERS = {**ply.SPLAT_LOADERS}
SPLAT_SAVERS = {**ply.SPLAT_SAVERS}
