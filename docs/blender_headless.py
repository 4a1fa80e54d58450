"""From a prompt to a .blend file and a rendered picture, by the extension, in a Blender without a window.

    blender -b -P docs/blender_headless.py -- "a red mug with a blue handle" mug.blend
    python docs/blender_headless.py -- "a red mug with a blue handle" mug.blend --extension vid2three-blender-0.1.0.zip

The second line is for `pip install bpy`. mug.png is written beside mug.blend. With --extension the zip is installed
first; without it the extension must be there already.
"""

import argparse
import math
import sys
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.vid2three"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="blender_headless.py", description="Prompt to .blend and .png.")
    parser.add_argument("prompt")
    parser.add_argument("blend", type=Path, help="file to write; the picture lies beside it")
    parser.add_argument(
        "--extension", type=Path, help="zip that `vid2three blender --zip` wrote, to be installed first"
    )
    parser.add_argument("--program", default="", help="vid2three, where it is not on the PATH")
    parser.add_argument("--preset", default="draft", choices=["draft", "standard", "high"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--height-m", type=float, default=1.0)
    parser.add_argument("--frame", type=int, default=3, help="of the clip, whose camera takes the picture")
    parser.add_argument("--size", type=int, default=512, help="of the picture, in pixels")
    parser.add_argument("--samples", type=int, default=32)
    return parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])


def enable(extension: Path | None, program: str, preset: str) -> None:
    if extension is not None:
        bpy.ops.extensions.package_install_files(filepath=str(extension.absolute()), repo="user_default")
    bpy.ops.preferences.addon_enable(module=MODULE)
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.program, preferences.preset = program, preset


def make(prompt: str, seed: int, height_m: float, folder: Path) -> None:
    """Do what the panel does; the run folder lies beside the .blend file, and a second call goes on there."""
    settings = bpy.context.scene.vid2three
    settings.source, settings.prompt, settings.seed, settings.height_m = "PROMPT", prompt, seed, height_m
    settings.output, settings.splats, settings.with_pictures = str(folder), "HIDDEN", True
    bpy.ops.vid2three.make(wait=True)


def light() -> None:
    """White all around, and a soft sun from the front left."""
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("white")
    if scene.world.node_tree is None:  # before Blender 5
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.8
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle = 2.0, 0.5
    sun.rotation_euler = (math.radians(50), 0, math.radians(-35))
    scene.collection.objects.link(sun)


def render(path: Path, frame: int, size: int, samples: int) -> None:
    scene = bpy.context.scene
    scene.frame_set(frame)
    scene.render.engine, scene.cycles.samples = "CYCLES", samples
    share = size / max(scene.render.resolution_x, scene.render.resolution_y)
    scene.render.resolution_x = round(share * scene.render.resolution_x)
    scene.render.resolution_y = round(share * scene.render.resolution_y)
    scene.render.film_transparent = True
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    asked = arguments()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    enable(asked.extension, asked.program, asked.preset)
    make(asked.prompt, asked.seed, asked.height_m, asked.blend.absolute().parent / "vid2three")
    light()
    render(asked.blend.absolute().with_suffix(".png"), asked.frame, asked.size, asked.samples)
    bpy.ops.wm.save_as_mainfile(filepath=str(asked.blend.absolute()))
