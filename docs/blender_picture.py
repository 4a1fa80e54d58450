"""Draw docs/blender.jpg in Blender's own Python: an asset as mesh and as splats, and the path of its camera.

Usage: python blender_picture.py VID2THREE.zip RUN_FOLDER PICTURE.jpg
"""

import sys

import bpy
from mathutils import Matrix, Vector

MODULE = "bl_ext.user_default.vid2three"
WIRE, PATH = (0.9, 0.3, 0.02), (0.05, 0.05, 0.05)


def wire(points: list, color: tuple, thickness: float) -> None:
    """Draw a line through points."""
    curve = bpy.data.curves.new("wire", "CURVE")
    curve.dimensions, curve.bevel_depth = "3D", thickness
    line = curve.splines.new("POLY")
    line.points.add(len(points) - 1)
    for point, at in zip(line.points, points, strict=True):
        point.co = (*at, 1)
    material = bpy.data.materials.new("wire")
    if material.node_tree is None:  # before Blender 5
        material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*color, 1)
    curve.materials.append(material)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("wire", curve))


def draw_camera(camera: bpy.types.Object, num_frames: int) -> None:
    """Draw the way of the animated camera, and its frustum at every third frame."""
    scene, centers = bpy.context.scene, []
    for frame in range(1, num_frames + 1):
        scene.frame_set(frame)
        place = camera.matrix_world.copy()
        centers.append(place.translation.copy())
        if frame % 3 == 1:
            depth = 0.3
            side = depth * camera.data.sensor_width / camera.data.lens / 2
            corners = [
                place @ Vector((x, y, -depth)) for x, y in ((-side, -side), (side, -side), (side, side), (-side, side))
            ]
            wire([*corners, corners[0]], WIRE, 0.006)
            for corner in corners:
                wire([place.translation, corner], WIRE, 0.006)
    wire([*centers, centers[0]], PATH, 0.004)


def studio() -> None:
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_plane_add(size=100)
    bpy.context.object.is_shadow_catcher = True
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle = 2.2, 0.6
    sun.rotation_euler = Vector((-0.5, -0.7, 1.2)).to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(sun)
    scene.world = bpy.data.worlds.new("white")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.9


def photograph(picture: str) -> None:
    scene = bpy.context.scene
    camera = bpy.data.objects.new("viewer", bpy.data.cameras.new("viewer"))
    camera.data.lens = 47
    towards = Vector((0.25, -0.8, 0.5)).normalized()
    camera.matrix_world = (
        Matrix.Translation(Vector((0.3, 0, 0.45)) + 8.6 * towards)
        @ towards.to_track_quat("Z", "Y").to_matrix().to_4x4()
    )
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 32, True
    scene.cycles.device = "CPU"
    scene.render.resolution_x, scene.render.resolution_y = 1100, 620
    scene.render.film_transparent = False
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 88
    scene.render.filepath = picture
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    archive, folder, target = sys.argv[1:]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    bpy.ops.vid2three.import_asset(directory=folder, splats="BESIDE")
    draw_camera(bpy.context.scene.camera, bpy.context.scene.frame_end)
    studio()
    photograph(target)
