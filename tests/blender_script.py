"""Run by test_blender.py in Blender's own Python: open a file as an artist would, tell what is there, take a picture.

Usage: python blender_script.py MESH REPORT.json PICTURE.png SIDE, where SIDE is the world axis the camera stands
on, such as -y. No code of ours is imported: Blender alone judges the file.
"""

import json
import sys

import bpy
import numpy as np
from mathutils import Vector


def open_file(path: str) -> bpy.types.Object:
    """Import a file with Blender's own settings for its format."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ending = path.rpartition(".")[2].lower()
    if ending == "glb":
        bpy.ops.import_scene.gltf(filepath=path)
    elif ending.startswith("usd"):
        bpy.ops.wm.usd_import(filepath=path)
    else:
        getattr(bpy.ops.wm, f"{ending}_import")(filepath=path)
    (mesh,) = [thing for thing in bpy.context.scene.objects if thing.type == "MESH"]
    return mesh


def report(mesh: bpy.types.Object) -> dict:
    """Vertices in Blender's world and their linear colours as Blender holds them."""
    colors = next(iter(mesh.data.color_attributes), None)
    nodes = [node.bl_idname for material in mesh.data.materials for node in material.node_tree.nodes]
    return {
        "name": mesh.name,
        "unit": bpy.context.scene.unit_settings.system,
        "vertices": [list(mesh.matrix_world @ vertex.co) for vertex in mesh.data.vertices],
        "color_domain": colors.domain if colors else None,
        "colors": [list(entry.color[:3]) for entry in colors.data] if colors else [],
        "images": [list(image.size) for image in bpy.data.images],
        "corner_vertices": [loop.vertex_index for loop in mesh.data.loops],
        "num_faces": len(mesh.data.polygons),
        "material_nodes": nodes,
        "materials": [material.name for material in mesh.data.materials],
    }


def render(mesh: bpy.types.Object, side: str, path: str) -> None:
    """Render 64x64 pixels by Cycles from far out on the given axis, in even white light, with the file's material."""
    scene = bpy.context.scene
    corners = np.array([mesh.matrix_world @ Vector(corner) for corner in mesh.bound_box])
    centre, size = (corners.min(0) + corners.max(0)) / 2, float(np.ptp(corners, axis=0).max())
    towards = Vector([(-1.0 if side[0] == "-" else 1.0) * (axis == side[1]) for axis in "xyz"])
    data = bpy.data.cameras.new("camera")
    data.type, data.ortho_scale = "ORTHO", 1.2 * size
    camera = bpy.data.objects.new("camera", data)
    camera.location = Vector(centre) + 3 * size * towards
    camera.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.world = bpy.data.worlds.new("white")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", 16, 0
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    source, target, picture, side = sys.argv[1:]
    subject = open_file(source)
    with open(target, "w", encoding="utf-8") as file:
        json.dump(report(subject), file)
    render(subject, side, picture)
