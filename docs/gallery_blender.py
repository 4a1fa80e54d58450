"""Run by gallery.py in Blender's own Python: open GLBs as an artist would and photograph each in a small studio.

Usage: python gallery_blender.py SIZE MESH.glb PICTURE.png [MESH.glb PICTURE.png ...]
"""

import sys

import bpy
import numpy as np
from mathutils import Vector

TURN_DEG, ELEVATION_DEG = 28.0, 18.0  # of the camera, from the front


def photograph(source: str, target: str, size: int) -> None:
    """Open a GLB with nothing changed, put it on white ground in soft light, and render it by Cycles."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=source)
    scene = bpy.context.scene
    meshes = [thing for thing in scene.objects if thing.type == "MESH"]
    corners = np.array([mesh.matrix_world @ Vector(corner) for mesh in meshes for corner in mesh.bound_box])
    centre, reach = (corners.min(0) + corners.max(0)) / 2, float(np.linalg.norm(np.ptp(corners, axis=0))) / 2
    turn, elevation = np.radians([TURN_DEG, ELEVATION_DEG])
    towards = np.array([np.sin(turn) * np.cos(elevation), -np.cos(turn) * np.cos(elevation), np.sin(elevation)])

    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens = 70
    camera.location = Vector(centre + 3.9 * reach * towards)
    camera.rotation_euler = Vector(towards).to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera

    bpy.ops.mesh.primitive_plane_add(size=200 * reach, location=(centre[0], centre[1], corners[:, 2].min()))
    bpy.context.object.is_shadow_catcher = True
    light = bpy.data.objects.new("key", bpy.data.lights.new("key", "SUN"))
    light.data.energy, light.data.angle = 2.2, 0.6
    light.rotation_euler = Vector((-0.5, -0.7, 1.2)).to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(light)
    scene.world = bpy.data.worlds.new("white")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.9
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)

    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", 32, 0
    scene.cycles.use_denoising = True
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath = target
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    pixels, *files = sys.argv[1:]
    for mesh, picture in zip(files[::2], files[1::2], strict=True):
        photograph(mesh, picture, int(pixels))
