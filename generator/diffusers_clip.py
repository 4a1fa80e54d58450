"""Videos by models of the user's own, through diffusers: Wan, CogVideoX, LTX, HunyuanVideo, Mochi, Cosmos, SVD."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from .config import VideoModelConfig
from .video_plan import Plan

SHARE = 0.8  # of a GPU's free memory that all networks may fill, the rest is for what they compute
# What a folder that is not what it says can raise while it is read; messages name the file or the tensor.
UNREADABLE = (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError)


def film(
    plan: Plan,
    caption: str,
    config: VideoModelConfig,
    *,
    seed: int = 0,
    picture: Float[Tensor, "3 h w"] | None = None,
    progress: Callable[[int, int], None] = lambda step, total: None,
) -> UInt8[Tensor, "f h w 3"]:
    """Load the model and make the frames of its video, sRGB.

    `picture` (sRGB in [0,1], of the video's size) is what an image-to-video model goes on from. Noise is drawn on the
    CPU, so that a seed means the same on every device. Raises ValueError, in one sentence with the cure, where the
    folder cannot be loaded, the memory is too small, or what comes out is no picture.
    """
    pipe = _loaded(plan, config)

    def step_done(_pipe: Any, step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        progress(step + 1, plan.steps)
        return tensors

    progress(0, plan.steps)
    try:
        with torch.no_grad():
            made = pipe(
                **_call(plan, caption, picture),
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type="np",
                callback_on_step_end=step_done,
            ).frames[0]
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"{plan.model.name} does not fit the memory of the GPU with {plan.num_frames} frames of {plan.width} x "
            f"{plan.height}: lower --generator.num-frames or the size, or pass --generator.offload sequential."
        ) from error
    finally:
        del pipe
        gc.collect()
        if plan.device == "cuda":
            torch.cuda.empty_cache()
    return _pixels(np.asarray(made), plan)


def _loaded(plan: Plan, config: VideoModelConfig) -> Any:
    """Return the pipeline, on its device."""
    import diffusers
    from transformers.utils import logging

    for messages in (diffusers.utils.logging, logging):
        messages.set_verbosity_error()
        messages.disable_progress_bar()
    kind = getattr(diffusers, plan.pipeline, None)
    if kind is None:
        raise ImportError(f"diffusers {diffusers.__version__} has no {plan.pipeline}: pip install -U diffusers.")
    wide = dict.fromkeys(plan.family.float32_parts, torch.float32)
    try:
        pipe = kind.from_pretrained(
            plan.model.folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            variant=config.variant or None,
            dtype={"default": plan.dtype, **wide} if wide else plan.dtype,
        )
    except UNREADABLE as error:
        raise ValueError(_unreadable(f"{plan.model.name} cannot be loaded as a {plan.pipeline}", error)) from error
    if plan.lora is not None:
        _add_lora(pipe, plan.lora, config.lora_scale)
    pipe.set_progress_bar_config(disable=True)
    vae = getattr(pipe, "vae", None)
    if vae is not None and hasattr(vae, "use_tiling"):
        vae.enable_tiling()  # decodes large frames piece by piece
    _place(pipe, plan, config.offload)
    return pipe


def _add_lora(pipe: Any, path: Path, scale: float) -> None:
    import peft  # noqa: F401  (diffusers asks for it)

    try:
        pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name="own", local_files_only=True)
        pipe.set_adapters(["own"], [scale])
    except UNREADABLE as error:
        raise ValueError(_unreadable(f"{path.name} is no LoRA for {type(pipe).__name__}", error)) from error


def _place(pipe: Any, plan: Plan, offload: str) -> None:
    """Move a pipeline to its device, or let it move its networks there one at a time."""
    if offload == "auto":
        offload = "none"
        if plan.device.startswith("cuda"):
            free, _ = torch.cuda.mem_get_info()
            offload = "model" if plan.num_weights * plan.dtype.itemsize > SHARE * free else "none"
    match offload:
        case "model":
            pipe.enable_model_cpu_offload(device=plan.device)
        case "sequential":
            pipe.enable_sequential_cpu_offload(device=plan.device)
        case _:
            pipe.to(plan.device)


def _call(plan: Plan, caption: str, picture: Tensor | None) -> dict[str, Any]:
    """Return the arguments that a pipeline is called with."""
    family = plan.family
    call: dict[str, Any] = {
        "height": plan.height,
        "width": plan.width,
        "num_frames": plan.num_frames,
        "num_inference_steps": plan.steps,
        family.guidance_argument: plan.guidance,
        **family.arguments,
    }
    if family.recipe:
        call["prompt"] = caption
    if family.negative_prompt is not None:
        call["negative_prompt"] = plan.negative_prompt
    if family.fps_argument:
        call[family.fps_argument] = plan.fps
    if picture is not None:
        pixels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        call["image"] = Image.fromarray(np.ascontiguousarray(pixels))
    return call


def _pixels(made: np.ndarray, plan: Plan) -> UInt8[Tensor, "f h w 3"]:
    """Return frames in [0,1] as bytes."""
    if made.ndim != 4 or made.shape[3] != 3 or len(made) < 1:
        raise ValueError(f"{plan.model.name} gave no frames of three colours but an array of {made.shape}.")
    if not np.isfinite(made).all():
        raise ValueError(
            f"{plan.model.name} gave numbers that are none with {str(plan.dtype).removeprefix('torch.')}: try "
            "--generator.dtype float32."
        )
    return torch.from_numpy((made.clip(0, 1) * 255).round().astype(np.uint8))


def _unreadable(what: str, error: Exception) -> str:
    first = " ".join(str(error).split()).split(". ")[0][:240].rstrip(" .")
    return f"{what} ({type(error).__name__}: {first}); copy or download it again, or take another."
