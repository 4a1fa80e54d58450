"""What the panel asks for, kept in the scene and so in the .blend file."""

# pyright: reportInvalidTypeForm=false

import bpy

from .commands import Order

SOURCES = [
    ("PROMPT", "Prompt", "Make an asset from words"),
    ("PICTURE", "Picture", "Make an asset from words and a picture of its front"),
    ("VIDEO", "Video", "Reconstruct what a video goes around"),
    ("PHOTOS", "Photos", "Reconstruct what a folder of photos shows, with or without a transforms.json"),
]
PRESETS = [
    ("draft", "Draft", "A first look"),
    ("standard", "Standard", "The usual"),
    ("high", "High", "Takes its time"),
]
SPLATS = [
    ("NONE", "None", "Do not import the splats"),
    ("HIDDEN", "Hidden", "In place of the mesh, hidden until you open their eye"),
    ("PLACE", "In place", "In place of the mesh, both shown"),
    ("BESIDE", "Beside", "To the right of the mesh, to compare the two"),
]
IMPORTS = ("with_mesh", "splats", "with_camera", "with_cameras", "with_pictures", "match_scene")


class ImportOptions:
    """What is imported of an asset: fields that the panel and the operator share."""

    with_mesh: bpy.props.BoolProperty(name="Mesh", description="Import the textured mesh", default=True)
    splats: bpy.props.EnumProperty(
        name="Splats", description="Import the Gaussian splats", items=SPLATS, default="HIDDEN"
    )
    with_camera: bpy.props.BoolProperty(
        name="Animated camera", description="One camera that goes through all views, a frame each", default=True
    )
    with_cameras: bpy.props.BoolProperty(
        name="A camera for each view", description="Still cameras as well, one a view", default=False
    )
    with_pictures: bpy.props.BoolProperty(
        name="Pictures behind", description="Show the views as background images of the cameras", default=False
    )
    match_scene: bpy.props.BoolProperty(
        name="Set up the scene",
        description="Let the scene render as the clip: its camera, shape, frames and rate, and colours as they were "
        "seen (view transform Standard)",
        default=True,
    )


class VID2THREE_PG_settings(bpy.types.PropertyGroup, ImportOptions):
    source: bpy.props.EnumProperty(name="From", items=SOURCES)
    prompt: bpy.props.StringProperty(name="Prompt", description="What to make: a red mug with a blue handle")
    picture: bpy.props.StringProperty(name="Picture", subtype="FILE_PATH", description="Its front, cut out or on plain")
    video: bpy.props.StringProperty(name="Video", subtype="FILE_PATH", description="A video that goes once around")
    photos: bpy.props.StringProperty(name="Photos", subtype="DIR_PATH", description="Photos from all sides")
    model: bpy.props.StringProperty(
        name="Model",
        subtype="DIR_PATH",
        description="Folder of a video model of your own, in the format of diffusers; the model that comes along "
        "with vid2three unless given",
    )
    preset: bpy.props.EnumProperty(
        name="Preset",
        items=[("PREFERENCES", "As in preferences", "The preset of the extension's preferences"), *PRESETS],
    )
    seed: bpy.props.IntProperty(name="Seed", description="Another seed, another take", min=0)
    height_m: bpy.props.FloatProperty(
        name="Height", description="Height of the mesh", default=1.0, min=0.001, max=10000.0, subtype="DISTANCE"
    )
    output: bpy.props.StringProperty(
        name="Folder",
        subtype="DIR_PATH",
        description="Where run folders go; a folder vid2three beside the .blend file, or in your home, unless given",
    )
    prompts: bpy.props.PointerProperty(
        name="Prompts", type=bpy.types.Text, description="Text with a prompt on each line"
    )
    last_root: bpy.props.StringProperty(options={"HIDDEN"})

    def order(self, preset: str, threads: int, prompt: str | None = None) -> Order:
        """Return what is asked for; with a prompt, that of a batch."""
        source = self.source if prompt is None else "PROMPT"
        path = {"PICTURE": self.picture, "VIDEO": self.video, "PHOTOS": self.photos}.get(source, "")
        return Order(
            source=source,
            prompt=self.prompt if prompt is None else prompt,
            path=bpy.path.abspath(path) if path else "",
            model=bpy.path.abspath(self.model) if self.model and source in ("PROMPT", "PICTURE") else "",
            preset=preset if self.preset == "PREFERENCES" else self.preset,
            seed=self.seed,
            height_m=self.height_m,
            threads=threads,
        )

    def import_options(self) -> dict:
        return {name: getattr(self, name) for name in IMPORTS}


def register() -> None:
    bpy.utils.register_class(VID2THREE_PG_settings)
    bpy.types.Scene.vid2three = bpy.props.PointerProperty(type=VID2THREE_PG_settings)


def unregister() -> None:
    del bpy.types.Scene.vid2three
    bpy.utils.unregister_class(VID2THREE_PG_settings)
