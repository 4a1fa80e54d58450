"""The tab vid2three in the sidebar of the 3D view."""

import textwrap

import bpy

from . import worker

WIDTH = 46  # characters of a line in a sidebar of the usual width


class VID2THREE_PT_make(bpy.types.Panel):
    bl_idname = "VID2THREE_PT_make"
    bl_label = "Make an Asset"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "vid2three"

    def draw(self, context: bpy.types.Context) -> None:
        settings, layout = context.scene.vid2three, self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "source")
        if settings.source in ("PROMPT", "PICTURE"):
            layout.prop(settings, "prompt")
        if settings.source != "PROMPT":
            layout.prop(settings, settings.source.lower())
        if settings.source in ("PROMPT", "PICTURE"):
            layout.prop(settings, "model")
        layout.prop(settings, "preset")
        layout.prop(settings, "seed")
        layout.prop(settings, "height_m")
        layout.prop(settings, "output")
        _draw_work(layout)


class VID2THREE_PT_batch(bpy.types.Panel):
    bl_idname = "VID2THREE_PT_batch"
    bl_parent_id = "VID2THREE_PT_make"
    bl_label = "Batch"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.scene.vid2three, "prompts", text="")
        self.layout.operator("vid2three.batch", icon="PRESET")


class VID2THREE_PT_import(bpy.types.Panel):
    bl_idname = "VID2THREE_PT_import"
    bl_parent_id = "VID2THREE_PT_make"
    bl_label = "Import"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        settings, layout = context.scene.vid2three, self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "with_mesh")
        layout.prop(settings, "splats")
        layout.prop(settings, "with_camera")
        layout.prop(settings, "with_cameras")
        row = layout.row()
        row.enabled = settings.with_camera or settings.with_cameras
        row.prop(settings, "with_pictures")
        layout.prop(settings, "match_scene")
        button = layout.operator("vid2three.import_asset", text="Import a Run Folder", icon="IMPORT")
        for name, value in settings.import_options().items():
            setattr(button, name, value)


def _draw_work(layout: bpy.types.UILayout) -> None:
    status = worker.status
    if worker.is_busy():
        title = status.task.title if status.task else "Waiting"
        layout.label(text=f"{title}, {len(status.waiting)} more to come" if status.waiting else title)
        layout.progress(factor=status.share, text=status.message)
        layout.operator("vid2three.cancel", icon="CANCEL")
    else:
        layout.operator("vid2three.make", icon="MESH_MONKEY")
    for error in status.errors[-3:]:
        column = layout.column(align=True)
        column.alert = True
        for number, line in enumerate(textwrap.wrap(error, WIDTH)):
            column.label(text=line, icon="ERROR" if number == 0 else "BLANK1")


CLASSES = (VID2THREE_PT_make, VID2THREE_PT_import, VID2THREE_PT_batch)


def register() -> None:
    for kind in CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
