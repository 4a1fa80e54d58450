"""Families of video models that diffusers knows: what each takes, what it was trained for, and how to ask for an orbit.

Torch-free. Figures are those of the models' own cards and of the pipelines' defaults in diffusers 0.42.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Needs = Literal["text", "image", "either"]


@dataclass(frozen=True)
class Family:
    """One family, as its pipelines are called."""

    title: str
    pipelines: Mapping[str, Needs]
    """Classes of diffusers, and what each starts from."""
    recipe: str
    """Words after the prompt that ask for an orbit; empty where the model reads no text."""
    negative_prompt: str | None
    """None where the model takes none."""
    frame_step: int
    """The number of frames is a multiple of this, and one more."""
    side_step: int
    """Height and width are multiples of this."""
    num_frames: int
    height: int
    width: int
    fps: int
    steps: int
    guidance: float
    frame_offset: int = 1
    guidance_argument: str = "guidance_scale"
    fps_argument: str = ""
    """Under what name the pipeline is told the frames a second, if it is."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What else its call is given."""
    with_image: Mapping[str, str] = field(default_factory=dict)
    """Classes that go on from a picture with the very weights of another class."""
    float32_parts: tuple[str, ...] = ()
    """Networks that lose too much in 16 bits."""
    requires: Mapping[str, str] = field(default_factory=dict)
    """Further packages: the module, and what it is for."""


STILL = "moving subject, walking, gesturing, morphing, deforming, changing shape, a second object, people"
CLEAN = "cluttered background, hard shadows, text, watermark, cut, zoom, camera shake, motion blur, blurry, low quality"
NEGATIVE = f"{STILL}, {CLEAN}"

FAMILIES: dict[str, Family] = {
    "wan": Family(
        title="Wan 2.x",
        pipelines={"WanPipeline": "text", "WanImageToVideoPipeline": "image"},
        recipe=(
            "The camera orbits slowly around it in one full 360-degree circle, at a constant height and distance, as "
            "in a turntable product shot. The subject stands perfectly still in the centre of the frame, all of it "
            "visible, on a plain white seamless background. Soft, even studio light, sharp focus, realistic detail."
        ),
        negative_prompt=NEGATIVE,
        frame_step=4,
        side_step=16,
        num_frames=81,
        height=480,
        width=832,
        fps=16,
        steps=50,
        guidance=5.0,
        float32_parts=("vae",),
        requires={"ftfy": "which cleans prompts for it"},
    ),
    "cogvideox": Family(
        title="CogVideoX",
        pipelines={"CogVideoXPipeline": "text", "CogVideoXImageToVideoPipeline": "image"},
        recipe=(
            "The video is a studio turntable shot of this single object. The camera moves smoothly in a complete "
            "circle around it, always at the same height and the same distance, so that the front, the sides and the "
            "back are seen one after another. The object itself is rigid and does not move. It fills the middle of "
            "the picture, nothing of it is cut off. The background is plain white and empty, the light soft and even,"
            " the picture sharp."
        ),
        negative_prompt=NEGATIVE,
        frame_step=16,
        side_step=16,
        num_frames=81,
        height=768,
        width=1360,
        fps=16,
        steps=50,
        guidance=6.0,
    ),
    "ltx": Family(
        title="LTX-Video",
        pipelines={"LTXPipeline": "text", "LTXImageToVideoPipeline": "image", "LTXConditionPipeline": "either"},
        recipe=(
            "The object stands still in the centre of a plain white studio. The camera circles slowly around it, once"
            " all the way round, at a constant distance and at a height slightly above its middle, first showing its "
            "front, then its side, then its back, then its other side, and comes back to the front. The object is "
            "rigid and stays fully in frame. The background stays uniformly white. The lighting is soft and even and "
            "does not change. The shot is continuous, smooth and sharp."
        ),
        negative_prompt=f"worst quality, inconsistent motion, jittery, distorted, {NEGATIVE}",
        frame_step=8,
        side_step=32,
        num_frames=161,
        height=512,
        width=704,
        fps=24,
        steps=50,
        guidance=3.0,
        fps_argument="frame_rate",
        arguments={
            "decode_timestep": 0.05,  # this and the next are read by versions from 0.9.1 on
            "decode_noise_scale": 0.025,
            "max_sequence_length": 256,  # of tokens; the pipeline's own 128 would cut the recipe
        },
        with_image={"LTXPipeline": "LTXImageToVideoPipeline"},
    ),
    "hunyuan": Family(
        title="HunyuanVideo",
        pipelines={"HunyuanVideoPipeline": "text", "HunyuanVideoImageToVideoPipeline": "image"},
        recipe=(
            "Turntable product shot: the camera slowly orbits around the still object through a full circle, at "
            "constant height and distance. Plain white background, soft even light, the whole object in frame, sharp."
        ),
        negative_prompt=None,  # its guidance is distilled, and no second, negative pass is made
        frame_step=4,
        side_step=16,
        num_frames=129,
        height=544,
        width=960,
        fps=24,
        steps=50,
        guidance=6.0,
    ),
    "mochi": Family(
        title="Mochi 1",
        pipelines={"MochiPipeline": "text"},
        recipe=(
            "A slow, smooth camera orbit goes all the way around the motionless object in one continuous turntable "
            "shot. Plain white background, soft even studio lighting, the whole object in the centre, sharp detail."
        ),
        negative_prompt=NEGATIVE,
        frame_step=6,
        side_step=16,
        num_frames=85,
        height=480,
        width=848,
        fps=30,
        steps=64,
        guidance=4.5,
    ),
    "cosmos": Family(
        title="Cosmos",
        pipelines={
            "CosmosTextToWorldPipeline": "text",
            "CosmosVideoToWorldPipeline": "image",
            "Cosmos2VideoToWorldPipeline": "image",
        },
        recipe=(
            "A rigid, motionless object stands on the floor of an empty, evenly lit white studio. The camera travels "
            "around it on a full circle at constant speed, height and distance, always pointed at its centre, and "
            "shows it from all sides. Nothing else is in the scene, and nothing in the scene moves."
        ),
        negative_prompt=NEGATIVE,
        frame_step=8,
        side_step=16,
        num_frames=121,
        height=704,
        width=1280,
        fps=30,
        steps=36,
        guidance=7.0,
        fps_argument="fps",
        requires={"cosmos_guardrail": "the guardrail that NVIDIA's licence asks for"},
    ),
    "svd": Family(
        title="Stable Video Diffusion",
        pipelines={"StableVideoDiffusionPipeline": "image"},
        recipe="",
        negative_prompt=None,
        frame_step=1,
        frame_offset=0,
        side_step=64,
        num_frames=25,
        height=576,
        width=1024,
        fps=7,
        steps=25,
        guidance=3.0,
        guidance_argument="max_guidance_scale",
        fps_argument="fps",
        arguments={"decode_chunk_size": 4},  # frames decoded at a time, which bounds the memory
    ),
}


def family_of(pipeline: str) -> str | None:
    """Return the name of the family that a pipeline's class belongs to, None where we know none."""
    return next((name for name, family in FAMILIES.items() if pipeline in family.pipelines), None)


def family_for(name: str, index: Mapping[str, Any], network: Mapping[str, Any]) -> Family:
    """Return a family as this member of it was trained: versions differ in size, frames and rate.

    `index` is its model_index.json, `network` the config.json of its transformer or UNet.
    """
    family = FAMILIES[name]
    pipeline = index.get("_class_name")
    if name == "wan" and index.get("expand_timesteps"):  # 2.2 TI2V 5B, with a deeper autoencoder
        return replace(family, side_step=32, num_frames=121, height=704, width=1280, fps=24)
    if name == "cogvideox" and network.get("patch_size_t") is None:  # before 1.5
        return replace(family, frame_step=8, num_frames=49, height=480, width=720, fps=8)
    if name == "hunyuan" and pipeline == "HunyuanVideoImageToVideoPipeline":
        return replace(family, guidance=1.0)
    if pipeline == "Cosmos2VideoToWorldPipeline":
        return replace(family, frame_step=4, num_frames=93, fps=16, steps=35)
    if name == "svd" and isinstance(network.get("num_frames"), int):
        return replace(family, num_frames=network["num_frames"])
    return family


def orbit_prompt(family: Family, words: str) -> str:
    """Return a prompt with the family's words for an orbit behind it."""
    subject = " ".join(words.split()).rstrip(" .,;:!?")
    return f"{subject[:1].upper()}{subject[1:]}. {family.recipe}".strip()
