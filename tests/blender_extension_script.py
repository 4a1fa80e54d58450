"""Run by test_blender_extension.py in Blender's own Python: install the extension's zip and import a run folder.

Usage: python blender_extension_script.py VID2THREE.zip RUN_FOLDER OUT_FOLDER, where report.json and PNGs go.
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

MODULE = "bl_ext.user_default.vid2three"
FRAMES = (1, 8, 17)
POINTS = [(0.1, -0.2, 0.3), (-0.4, 0.35, 0.6), (0.0, 0.0, 0.0)]


def install(archive: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    assert MODULE in bpy.context.preferences.addons


def things(kind: str) -> list:
    return [thing for thing in bpy.context.scene.objects if thing.type == kind]


def one(kind: str, ending: str = "") -> bpy.types.Object:
    (found,) = [thing for thing in things(kind) if thing.name.endswith(ending)]
    return found


def project(camera: bpy.types.Object) -> list:
    """Return the pixels, y down, at which Blender sees the points, in a picture of the camera's own size."""
    scene = bpy.context.scene
    seen = [world_to_camera_view(scene, camera, Vector(point)) for point in POINTS]
    width, height = scene.render.resolution_x, scene.render.resolution_y
    return [[at.x * width, (1 - at.y) * height] for at in seen]


def values(mesh: bpy.types.Mesh, name: str, field: str, columns: int) -> list:
    attribute = mesh.attributes[name]
    found = np.empty(len(mesh.vertices) * columns, np.float32)
    attribute.data.foreach_get(field, found)
    assert attribute.domain == "POINT"
    return found.reshape(-1, columns).tolist()


def report() -> dict:
    scene, solid, splats = bpy.context.scene, one("MESH", "mesh"), one("MESH", "splats")
    camera = scene.camera
    frames, lens = {}, {}
    for frame in FRAMES:
        scene.frame_set(frame)
        frames[frame] = project(camera)
        lens[frame] = [camera.data.lens, camera.data.clip_start, camera.data.clip_end]
    single = {thing.name: project(thing) for thing in things("CAMERA") if thing != camera}
    behind = camera.data.background_images[0]
    return {
        "vertices": [list(solid.matrix_world @ vertex.co) for vertex in solid.data.vertices],
        "points": [list(vertex.co) for vertex in splats.data.vertices],
        "splats_from_world": [list(row) for row in splats.matrix_world],
        "color": values(splats.data, "Color", "color", 4),
        "scale": values(splats.data, "scale", "vector", 3),
        "rotation": values(splats.data, "rotation", "value", 4),
        "opacity": values(splats.data, "opacity", "value", 1),
        "projected": frames,
        "projected_single": single,
        "lens": lens,
        "range": [scene.frame_start, scene.frame_end],
        "fps": scene.render.fps / scene.render.fps_base,
        "size": [scene.render.resolution_x, scene.render.resolution_y],
        "facts": {key: value for key, value in one("EMPTY").items() if isinstance(value, (str, int))},
        "behind": [behind.image.source, behind.image_user.frame_duration, behind.image_user.frame_offset],
        "num_instances": sum(entry.is_instance for entry in bpy.context.evaluated_depsgraph_get().object_instances),
    }


def render(path: Path, frame: int, size: int, *, shown: str, engine: str = "CYCLES") -> None:
    """Render the mesh or the splats alone through the animated camera."""
    scene = bpy.context.scene
    scene.frame_set(frame)
    for thing in things("MESH"):
        thing.hide_render = thing.name.endswith("splats") != (shown == "splats")
    scene.render.engine = engine
    if engine == "CYCLES":
        scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", 16, 0
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.film_transparent, scene.render.filter_size = True, 0.01
    scene.world = scene.world or bpy.data.worlds.new("white")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def undo(folder: str) -> dict:
    """Count what is in the scene before, after, undone and done again."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    bpy.ops.ed.undo_push(message="start")
    counts = [len(bpy.data.objects)]
    bpy.ops.vid2three.import_asset("EXEC_DEFAULT", True, directory=folder)
    counts.append(len(bpy.data.objects))
    bpy.ops.ed.undo()
    counts.append(len(bpy.data.objects))
    bpy.ops.ed.redo()
    return {"counts": [*counts, len(bpy.data.objects)]}


def failing(folder: str, out: Path) -> dict:
    """Import folders that are none: what is told, and what is left in the file."""
    (out / "empty").mkdir()
    (out / "spoilt").mkdir()
    (out / "spoilt" / "asset.json").write_text((Path(folder) / "asset.json").read_text("utf-8"), "utf-8")
    (out / "spoilt" / "mesh.glb").write_bytes(b"glTF and no more")
    before, told = (len(bpy.data.objects), len(bpy.data.collections)), []
    for name in ("empty", "spoilt"):
        try:
            bpy.ops.vid2three.import_asset(directory=str(out / name))
        except RuntimeError as error:
            told.append(str(error))
    return {"told": told, "is_clean": before == (len(bpy.data.objects), len(bpy.data.collections))}


class Layout:
    """Takes what a panel draws, as Blender's layout does, and refuses what Blender would: there is no window here."""

    ICONS = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items

    def __init__(self, drawn: list) -> None:
        self.drawn = drawn

    def row(self, align: bool = False) -> "Layout":
        return Layout(self.drawn)

    column = row

    def label(self, text: str, icon: str = "NONE") -> None:
        assert icon in self.ICONS
        self.drawn.append(text)

    def prop(self, data, name: str, text: str | None = None) -> None:
        self.drawn.append(data.bl_rna.properties[name].name)

    def progress(self, factor: float, text: str) -> None:
        assert 0 <= factor <= 1
        self.drawn.append(text)

    def operator(self, name: str, text: str | None = None, icon: str = "NONE") -> object:
        assert icon in self.ICONS
        group, _, call = name.partition(".")
        kind = getattr(getattr(bpy.ops, group), call).get_rna_type()
        self.drawn.append(text or kind.name)

        class Button:
            def __setattr__(self, name: str, value: object) -> None:
                assert name in kind.properties

        return Button()


def drawn() -> dict:
    """Draw every panel for every source, idle and at work, and name what is shown."""
    panel, worker = (sys.modules[f"{MODULE}.{name}"] for name in ("panel", "worker"))
    settings, shown = bpy.context.scene.vid2three, {}

    def draw(kind, layout_owner=None) -> list:
        lines: list = []
        stand_in = type("Panel", (), {"layout": Layout(lines), **(layout_owner or {})})()
        kind.draw(stand_in, bpy.context)
        return lines

    for source in ("PROMPT", "PICTURE", "VIDEO", "PHOTOS"):
        settings.source = source
        shown[source] = draw(panel.VID2THREE_PT_make)
    settings.source = "PROMPT"
    worker.status.waiting.append(worker.Task("a mug", [], Path(), {}))
    worker.status.message, worker.status.share = "Fitting the splats: 2 of 4", 0.5
    worker.status.errors.append("Say what to make, such as a red mug with a blue handle, or choose a picture of it.")
    shown["busy"] = draw(panel.VID2THREE_PT_make)
    worker.shut_down()
    shown["batch"], shown["import"] = draw(panel.VID2THREE_PT_batch), draw(panel.VID2THREE_PT_import)
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.finding = "vid2three answers"
    lines: list = []
    fields = {name: getattr(preferences, name) for name in ("program", "finding")}
    fields |= {"layout": Layout(lines), "bl_rna": preferences.bl_rna}
    type(preferences).draw(type("Preferences", (), fields)(), bpy.context)
    return {**shown, "preferences": lines}


def leftovers() -> list[str]:
    """Name what a disabled extension has left behind."""
    left = [name for name in dir(bpy.types) if "VID2THREE" in name]
    left += ["Scene.vid2three"] if hasattr(bpy.types.Scene, "vid2three") else []
    left += list(dir(bpy.ops.vid2three))
    left += [str(draw) for draw in bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize() if "vid2three" in str(draw)]
    for handlers in (getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)):
        left += [str(call) for call in handlers if "vid2three" in str(call)] if isinstance(handlers, list) else []
    return left


def main(archive: str, folder: str, out: Path) -> None:
    install(archive)
    told = bpy.ops.vid2three.import_asset(
        directory=folder, splats="PLACE", with_cameras=True, with_pictures=True, match_scene=True
    )
    found = {"import": list(told), **report()}
    for frame in FRAMES:
        render(out / f"mesh_{frame}.png", frame, 128, shown="mesh")
        render(out / f"splats_{frame}.png", frame, 128, shown="splats")
    bpy.ops.vid2three.import_asset(directory=folder, splats="BESIDE", with_camera=False)
    found["beside"] = [
        [list(thing.matrix_world @ Vector(corner)) for corner in thing.bound_box] for thing in things("MESH")[-2:]
    ]
    found.update(undo(folder))
    found["failing"] = failing(folder, out)
    found["drawn"] = drawn()
    bpy.ops.preferences.addon_disable(module=MODULE)
    found["left"] = leftovers()
    bpy.ops.preferences.addon_enable(module=MODULE)
    found["again"] = list(bpy.ops.vid2three.import_asset(directory=folder))
    (out / "report.json").write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
