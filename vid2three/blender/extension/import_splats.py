"""Splats as points with attributes, and geometry nodes that put an ellipsoid on each."""

import bpy
import numpy as np
from mathutils import Matrix

from .splat_file import SplatFile
from .splat_nodes import splat_group

MANY_LAYERS = 256  # splats that a ray may pass; Cycles stops at 8 by itself, and the object would turn black


def import_splats(
    splats: SplatFile, name: str, collection: bpy.types.Collection, root: bpy.types.Object, place: Matrix
) -> bpy.types.Object:
    """Make the points of splats: vertices with the attributes Color, scale, rotation and opacity, as in the file.

    `place` takes the world of the cameras to the mesh's place.
    """
    count = len(splats.means)
    mesh = bpy.data.meshes.new(f"{name} splats")
    mesh.vertices.add(count)
    mesh.vertices.foreach_set("co", np.ascontiguousarray(splats.means, np.float32).ravel())
    colors = np.concatenate([splats.colors, splats.opacities[:, None]], axis=1)
    attributes = [
        ("Color", "FLOAT_COLOR", "color", colors),
        ("scale", "FLOAT_VECTOR", "vector", splats.scales),
        ("rotation", "QUATERNION", "value", splats.quats),
        ("opacity", "FLOAT", "value", splats.opacities),
    ]
    for title, kind, field, values in attributes:
        attribute = mesh.attributes.new(title, kind, "POINT")
        attribute.data.foreach_set(field, np.ascontiguousarray(values, np.float32).ravel())
    mesh.update()
    group, material = splat_group()
    mesh.materials.append(material)
    made = bpy.data.objects.new(f"{name} splats", mesh)
    collection.objects.link(made)
    made.parent, made.matrix_local = root, place
    made.modifiers.new("Splats", "NODES").node_group = group
    made.visible_shadow = False  # they hold the light that they were seen in
    made.visible_diffuse = False
    return made


def let_light_through(scene: bpy.types.Scene) -> None:
    """Let rays of Cycles pass as many splats as lie behind each other."""
    if hasattr(scene, "cycles"):
        scene.cycles.transparent_max_bounces = max(scene.cycles.transparent_max_bounces, MANY_LAYERS)
