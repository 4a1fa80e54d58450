"""Clips of known content, written as real files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def turning(num: int, height: int = 96, width: int = 128, turns: float = 1.0) -> np.ndarray:
    """A round of coloured posts that turns about the vertical axis before a ramp: uint8 [num,H,W,4].

    Alpha is that of the posts. Every view of the turn is another one, and the last leads on to the first.
    """
    generator = np.random.default_rng(0)
    angles, radii = generator.uniform(0, 2 * np.pi, 24), generator.uniform(0.1, 0.8, 24)
    colors, tops = generator.integers(40, 255, (24, 3)), generator.uniform(0.1, 0.6, 24)
    frames = np.zeros((num, height, width, 4), np.uint8)
    frames[..., :3] = np.linspace(90, 130, width)[None, None, :, None]
    for index in range(num):
        turned = angles + 2 * np.pi * turns * index / num
        for k in np.argsort(-np.sin(turned) * radii):  # far ones first
            x = round(width * (0.5 + 0.45 * radii[k] * np.cos(turned[k])))
            y = round(height * tops[k])
            frames[index, y : round(0.9 * height), max(x - 4, 0) : x + 4] = (*colors[k], 255)
    return frames


def write_clip(
    path: Path,
    frames: np.ndarray,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    *,
    rate: int = 24,
    times: list[int] | None = None,
    options: dict[str, str] | None = None,
    **context: object,
) -> Path:
    """Write uint8 [F,H,W,3|4] or uint16 RGB frames; `times` in 1/1000 s; `context` is set on the encoder."""
    source = {("uint8", 3): "rgb24", ("uint8", 4): "rgba", ("uint16", 3): "rgb48le"}[frames.dtype.name, frames.shape[3]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixel_format
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=source)
            if "colorspace" in context:
                frame = frame.reformat(format=pixel_format, dst_colorspace=context["colorspace"])
                frame.color_trc = context.get("color_trc", frame.color_trc)
            if times:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
