"""Run by test_blender_extension.py in Blender's own Python: make assets by a real vid2three, with the timer by hand.

Usage: python blender_make_script.py VID2THREE.zip PROGRAM OUT_FOLDER. Writes report.json to OUT_FOLDER.
"""

import json
import sys
import time
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.vid2three"


def tick_until(worker, is_reached) -> list[str]:
    """Call the timer as Blender would, and return the messages that the panel showed."""
    shown: list[str] = []
    end = time.monotonic() + 300
    while not is_reached():
        assert time.monotonic() < end, shown
        assert bpy.app.timers.is_registered(worker.tick)
        again = worker.tick()
        if worker.status.message and (not shown or shown[-1] != worker.status.message):
            shown.append(worker.status.message)
        if again is None:
            bpy.app.timers.unregister(worker.tick)  # as Blender does
            break
        time.sleep(0.01)
    return shown


def told(call) -> str:
    """Return what an operator reports as an error."""
    try:
        call()
    except RuntimeError as error:
        return str(error)
    return ""


def main(archive: str, program: str, out: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    worker = sys.modules[f"{MODULE}.worker"]
    preferences = bpy.context.preferences.addons[MODULE].preferences
    settings = bpy.context.scene.vid2three
    found: dict = {"no_program": told(bpy.ops.vid2three.check)}
    preferences.program, preferences.preset, preferences.threads = program, "draft", 1
    bpy.ops.vid2three.check()
    found["finding"] = preferences.finding
    found["no_prompt"] = told(bpy.ops.vid2three.make)

    settings.prompt, settings.output, settings.height_m = "a red mug", str(out / "runs"), 0.2
    bpy.ops.vid2three.make()
    found["busy"] = [worker.is_busy(), bpy.ops.vid2three.make.poll()]
    tick_until(worker, lambda: worker.status.message.startswith("Fitting the surface"))
    pid = worker.status.job.pid
    bpy.ops.vid2three.cancel()
    tick_until(worker, lambda: not worker.is_busy())
    found["canceled"] = {
        "pid": pid,
        "errors": worker.status.errors,
        "objects": len(bpy.data.objects),
        "stages": list(json.loads(next((out / "runs").glob("*/asset.json")).read_text("utf-8"))["stages"]),
    }

    bpy.ops.vid2three.make()
    found["shown"] = tick_until(worker, lambda: not worker.is_busy())
    mesh = next(thing for thing in bpy.data.objects if thing.name.endswith("mesh"))
    found["made"] = {
        "errors": worker.status.errors,
        "folders": len(list((out / "runs").iterdir())),
        "height": mesh.dimensions.z,
        "floor": min((mesh.matrix_world @ vertex.co).z for vertex in mesh.data.vertices),
        "camera": bpy.context.scene.camera.name,
        "timer": bpy.app.timers.is_registered(worker.tick),
    }

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    worker = sys.modules[f"{MODULE}.worker"]
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.program, preferences.preset, preferences.threads = program, "draft", 1
    settings = bpy.context.scene.vid2three
    settings.output, settings.height_m = str(out / "runs"), 0.2
    settings.prompts = bpy.data.texts.new("prompts")
    settings.prompts.write("# a row\na red mug\n…!?\n\na red mug\n")
    found["batch"] = told(lambda: bpy.ops.vid2three.batch(wait=True))
    bpy.context.view_layer.update()
    meshes = [thing for thing in bpy.data.objects if thing.type == "MESH" and "mesh" in thing.name]
    found["row"] = sorted(
        [min(x), max(x)] for x in ([(m.matrix_world @ v.co).x for v in m.data.vertices] for m in meshes)
    )

    settings.prompt = "a blue chair"
    bpy.ops.vid2three.make()
    tick_until(worker, lambda: worker.status.message.startswith("Generating"))
    found["running"] = worker.status.job.pid
    bpy.ops.preferences.addon_disable(module=MODULE)  # in the middle of it
    found["left"] = [bpy.app.timers.is_registered(worker.tick), hasattr(bpy.types.Scene, "vid2three")]
    (out / "report.json").write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
