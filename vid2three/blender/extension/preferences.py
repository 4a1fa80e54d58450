"""The extension's preferences: where the program is, whether it answers, and the usual preset."""

# pyright: reportInvalidTypeForm=false

import bpy

from . import job
from .settings import PRESETS


class VID2THREE_OT_check(bpy.types.Operator):
    bl_idname = "vid2three.check"
    bl_label = "Check"
    bl_description = "Start the program and ask for its version"

    def execute(self, context: bpy.types.Context) -> set[str]:
        preferences = of(context)
        try:
            found = f"{job.version(job.find_program(asked_program(context)))} answers"
        except (ValueError, FileNotFoundError) as error:
            if preferences is not None:
                preferences.finding = str(error)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if preferences is not None:
            preferences.finding = found
        self.report({"INFO"}, found)
        return {"FINISHED"}


class VID2THREE_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    program: bpy.props.StringProperty(
        name="Program",
        subtype="FILE_PATH",
        description="The vid2three program, or the folder of its Python environment; the one on the PATH unless given",
    )
    preset: bpy.props.EnumProperty(name="Preset", items=PRESETS, default="standard")
    threads: bpy.props.IntProperty(
        name="Threads", description="Processor threads that vid2three may take; 0 is all of them", min=0, max=1024
    )
    finding: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def draw(self, context: bpy.types.Context) -> None:
        row = self.layout.row(align=True)
        row.prop(self, "program")
        row.operator("vid2three.check", icon="CHECKMARK")
        if self.finding:
            self.layout.label(text=self.finding)
        self.layout.prop(self, "preset")
        self.layout.prop(self, "threads")
        if not self.program:
            self.layout.label(text="vid2three itself is installed by: pip install vid2three", icon="INFO")


CLASSES = (VID2THREE_OT_check, VID2THREE_AP_preferences)


def of(context: bpy.types.Context) -> VID2THREE_AP_preferences | None:
    """Return the preferences; None where a script registered the module without enabling the extension."""
    addon = context.preferences.addons.get(__package__)
    return None if addon is None else addon.preferences


def asked_program(context: bpy.types.Context) -> str:
    preferences = of(context)
    return bpy.path.abspath(preferences.program) if preferences is not None and preferences.program else ""


def register() -> None:
    for kind in CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
