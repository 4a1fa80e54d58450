"""A run folder into the scene: one collection and one empty for the asset, with mesh, splats and cameras below it."""

from pathlib import Path

import bpy
from mathutils import Matrix, Vector

from . import run_folder, splat_file
from .import_cameras import import_cameras
from .import_mesh import import_mesh
from .import_splats import import_splats, let_light_through

GAP = 0.25  # between assets of a row, as a share of the size of the one on the left


def import_asset(
    context: bpy.types.Context,
    folder: Path,
    *,
    beside: str = "",
    with_mesh: bool = True,
    splats: str = "HIDDEN",
    with_camera: bool = True,
    with_cameras: bool = False,
    with_pictures: bool = False,
    match_scene: bool = True,
) -> bpy.types.Object:
    """Import a run folder and return the empty that carries all of it.

    The mesh stands where its file puts it, on its pivot, z up, front at -y; splats and cameras are brought to it.
    `beside` names the empty of an asset to the right of which this one goes. All is read before anything is made, and
    what was made is taken away again where something fails. Raises ValueError or FileNotFoundError.
    """
    run = run_folder.load(folder)
    mesh_file = run.file("mesh.glb") if with_mesh else None
    splats_file = run.file("splats.ply") if splats != "NONE" else None
    points = splat_file.load(splats_file) if splats_file is not None else None
    if mesh_file is None and points is None and run.cameras is None:
        raise FileNotFoundError(f"{folder} holds nothing that was asked for; let vid2three finish it.")
    collection = bpy.data.collections.new(run.name)
    context.scene.collection.children.link(collection)
    try:
        root = bpy.data.objects.new(run.name, None)
        root.empty_display_type, root.empty_display_size = "ARROWS", 0.25
        for key, value in run.facts.items():
            root[key] = value
        root["vid2three_folder"] = str(folder)
        collection.objects.link(root)
        place = Matrix(run.blender_from_world.tolist())
        mesh = import_mesh(context, mesh_file, collection, root) if mesh_file is not None else None
        if points is not None:
            made = import_splats(points, run.name, collection, root, place)
            if splats == "BESIDE" and mesh is not None:
                _put_beside(made, [mesh])
            elif splats == "HIDDEN" and mesh is not None:
                made.hide_render = True
                made.hide_set(True)
        if run.cameras is not None and (with_camera or with_cameras):
            options = {"animated": with_camera, "single": with_cameras, "with_pictures": with_pictures}
            camera = import_cameras(run, collection, root, place, **options)
            if match_scene:
                _match(context.scene, run, camera)
        if match_scene:
            let_light_through(context.scene)
    except Exception:
        _remove(collection)
        raise
    _select(context, root)
    before = bpy.data.objects.get(beside) if beside else None
    if before is not None:
        _put_beside(root, [before, *before.children_recursive])
    return root


def _match(scene: bpy.types.Scene, run: run_folder.RunFolder, camera: bpy.types.Object | None) -> None:
    """Let the scene render as the clip: its camera, shape, frames and rate, and colours as they were seen."""
    cameras, render = run.cameras, scene.render
    assert cameras is not None
    times = max(1, -(-1024 // max(cameras.width, cameras.height)))  # a clip's few pixels, each as so many
    render.resolution_x, render.resolution_y = cameras.width * times, cameras.height * times
    render.resolution_percentage = 100
    tall = float(cameras.K[0, 0, 0] / cameras.K[0, 1, 1])  # height of a pixel by its width
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1 / tall), max(1.0, tall)
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    scene.frame_start, scene.frame_end = 1, len(cameras.c2w)
    if run.fps is not None:
        whole = max(1, round(run.fps))
        render.fps, render.fps_base = whole, whole / run.fps
    if camera is not None:
        scene.camera = camera
    scene.frame_set(1)


def _put_beside(thing: bpy.types.Object, others: list[bpy.types.Object]) -> None:
    """Move a thing along x until it stands to the right of others, on the same ground."""
    bpy.context.view_layer.update()
    left, right = _reach([thing, *thing.children_recursive]), _reach(others)
    if left is None or right is None:
        return
    shift = right[1] + GAP * (right[1] - right[0]) - left[0]
    thing.matrix_world = Matrix.Translation((shift, 0, 0)) @ thing.matrix_world
    bpy.context.view_layer.update()


def _reach(things: list[bpy.types.Object]) -> tuple[float, float] | None:
    """Return the least and the largest x of meshes, instances of theirs included, in the world."""
    solid = [thing for thing in things if thing.type == "MESH"]
    shown = [thing for thing in solid if not thing.hide_render] or solid
    xs = [(thing.matrix_world @ Vector(corner)).x for thing in shown for corner in thing.bound_box]
    return (min(xs), max(xs)) if xs else None


def _select(context: bpy.types.Context, root: bpy.types.Object) -> None:
    for thing in context.view_layer.objects.selected:
        thing.select_set(False)
    root.select_set(True)
    context.view_layer.objects.active = root


def _remove(collection: bpy.types.Collection) -> None:
    for thing in list(collection.all_objects):
        bpy.data.objects.remove(thing, do_unlink=True)
    for child in list(collection.children_recursive):
        bpy.data.collections.remove(child)
    bpy.data.collections.remove(collection)
