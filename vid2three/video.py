"""Videos through PyAV: H.264, yuv420p, which every player and browser shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

QUALITY = {"crf": "16", "preset": "medium"}  # of x264; 16 cannot be told from the original


def save_video(path: Path, frames: np.ndarray, fps: float) -> None:
    """Write uint8 [F,H,W,3] sRGB frames as MP4. H and W must be even. Equal frames give equal bytes."""
    import av

    num_frames, height, width, _ = frames.shape
    if num_frames == 0 or height % 2 or width % 2:
        raise ValueError(f"A video needs frames of even height and width, not {num_frames} of {height} x {width}.")
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options=QUALITY)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))


def load_video(path: Path) -> tuple[np.ndarray, float]:
    """Read all frames of a video as uint8 [F,H,W,3], and its frames a second."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return np.stack(frames), float(stream.average_rate or 0)


def enlarged(frames: np.ndarray, smallest: int = 256) -> np.ndarray:
    """Return frames whose sides are at least `smallest` pixels and even, by a whole factor; large ones only trimmed."""
    factor = -(-smallest // min(frames.shape[1:3]))
    if factor > 1:
        values = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
        values = interpolate(values, scale_factor=factor, mode="bicubic", align_corners=False)
        frames = values.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]


def has_h264() -> bool:
    """Say whether PyAV can write H.264 here."""
    import av.codec

    return "libx264" in av.codec.codecs_available
