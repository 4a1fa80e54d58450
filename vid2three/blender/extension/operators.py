"""The buttons: make, batch, cancel, and import of a run folder."""

# pyright: reportInvalidTypeForm=false

from pathlib import Path

import bpy

from . import commands, job, preferences, worker
from .import_asset import import_asset
from .settings import IMPORTS, ImportOptions

MISTAKES = (ValueError, OSError)


class VID2THREE_OT_make(bpy.types.Operator):
    bl_idname = "vid2three.make"
    bl_label = "Make"
    bl_description = "Let vid2three make the asset beside Blender, and import it when it is done"

    wait: bpy.props.BoolProperty(
        name="Wait", description="Return when the asset is there, for scripts", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not worker.is_busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        return _work(self, context, [None])


class VID2THREE_OT_batch(bpy.types.Operator):
    bl_idname = "vid2three.batch"
    bl_label = "Make All"
    bl_description = "Make an asset of each line of the text, one after another, and place them in a row"

    wait: bpy.props.BoolProperty(
        name="Wait", description="Return when the assets are there, for scripts", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene.vid2three.prompts is not None and not worker.is_busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        prompts = commands.prompts(context.scene.vid2three.prompts.as_string())
        if not prompts:
            self.report({"ERROR"}, "The text holds no prompt; write one on each line.")
            return {"CANCELLED"}
        return _work(self, context, prompts)


class VID2THREE_OT_cancel(bpy.types.Operator):
    bl_idname = "vid2three.cancel"
    bl_label = "Cancel"
    bl_description = "Stop; what is finished is kept, and making the same asset again goes on from there"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return worker.is_busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        worker.cancel()
        return {"FINISHED"}


class VID2THREE_OT_import_asset(bpy.types.Operator, ImportOptions):
    bl_idname = "vid2three.import_asset"
    bl_label = "Import vid2three Asset"
    bl_description = "Import mesh, splats and cameras of a folder that vid2three made"
    bl_options = {"REGISTER", "UNDO"}

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    beside: bpy.props.StringProperty(
        name="Beside", description="Asset to the right of which this one is placed", options={"SKIP_SAVE", "HIDDEN"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        options = {name: getattr(self, name) for name in IMPORTS}
        try:
            root = import_asset(context, Path(bpy.path.abspath(self.directory)), beside=self.beside, **options)
        except MISTAKES as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.scene.vid2three.last_root = root.name
        return {"FINISHED"}


def _work(operator: bpy.types.Operator, context: bpy.types.Context, prompts: list) -> set[str]:
    """Check the orders, let the worker do them, and wait where a script asks for that."""
    try:
        tasks = [_task(context, prompt, is_in_row=number > 0) for number, prompt in enumerate(prompts)]
    except MISTAKES as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    worker.add(tasks)
    if operator.wait:
        worker.wait()
        if worker.status.errors:
            operator.report({"ERROR"}, worker.status.errors[-1])
            return {"CANCELLED"}
    return {"FINISHED"}


def _task(context: bpy.types.Context, prompt: str | None, is_in_row: bool) -> worker.Task:
    settings, chosen = context.scene.vid2three, preferences.of(context)
    preset, threads = ("standard", 0) if chosen is None else (chosen.preset, chosen.threads)
    order = settings.order(preset, threads, prompt)
    commands.check(order)
    folder = commands.run_folder(order, _output(settings.output))
    words = commands.command(job.find_program(preferences.asked_program(context)), order, folder)
    title = order.prompt if order.source in ("PROMPT", "PICTURE") else Path(order.path).name
    return worker.Task(title, words, folder, settings.import_options(), is_in_row)


def _output(asked: str) -> Path:
    """Return the folder of run folders: that asked for, one beside the .blend file, or one in the user's home."""
    if asked:
        if asked.startswith("//") and not bpy.data.filepath:
            raise ValueError(f"The folder {asked} lies beside the .blend file; save that first, or choose another.")
        return Path(bpy.path.abspath(asked)).absolute()
    return (Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()) / "vid2three"


def _draw_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator(VID2THREE_OT_import_asset.bl_idname, text="vid2three asset (run folder)")


CLASSES = (VID2THREE_OT_make, VID2THREE_OT_batch, VID2THREE_OT_cancel, VID2THREE_OT_import_asset)


def register() -> None:
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.TOPBAR_MT_file_import.append(_draw_menu)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(_draw_menu)
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
