"""Videos read frame by frame through PyAV: what is in the file, which part is decoded, and each frame upright in sRGB.

A video is never in memory whole. A long one is decoded in part: from each keyframe on, as many frames as the budget
allows. Files are opened by Python and only as the containers below, so that a playlist or a script that calls itself
clip.mp4 cannot lead elsewhere, and any file name will do.

Words: a packet is a coded frame; a keyframe can be decoded without the frames before it; a run is a range of packets,
in the order of the file, that starts at a keyframe.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from vid2three.hdr import TRANSFERS, tone_mapped

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".ogv")
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,apng,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,ivf"
PIXEL_BUDGET = 8e9  # decoded pixels; about a minute of one core
MANY_KEYFRAMES = 400  # so many are enough to choose from where not all can be decoded
MOST_PIXELS = 8192 * 8192  # of one frame
MOST_THREADS = 4  # each holds frames of its own
NOT_SAID = 2  # a colour matrix, by ITU-T H.273
HAS_OWN_MATRIX = 720  # from this height on, colours that do not say their matrix are BT.709, as players guess


@dataclass(frozen=True)
class Turn:
    """What makes a video's frames upright: rows and columns swapped first, then mirrored down, then across."""

    is_turned: bool = False
    down: bool = False
    across: bool = False


@dataclass(frozen=True)
class Index:
    """What a video file holds, without having decoded it."""

    height: int
    """Of the coded frames, in pixels; rotation and pixel shape are each frame's own."""
    width: int
    fps: float
    """Mean frames a second; 0 where the file does not say."""
    codec: str
    keyframes: tuple[int, ...]
    """Packets that are keyframes, in the order of the file; never empty."""
    num_packets: int
    is_cut_short: bool
    """The file ends in the middle."""


def index_video(path: Path) -> Index:
    """Look through a video's packets. Raises FileNotFoundError or ValueError where there is no video, with the cure."""
    import av

    keyframes, count, is_cut_short = [], 0, False
    with _opened(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size:
                    keyframes += [count] if packet.is_keyframe else []
                    count += 1
        except av.FFmpegError:
            is_cut_short = True
        context = stream.codec_context
        if context.width * context.height > MOST_PIXELS:
            raise ValueError(f"{_name(path)} has frames of {context.width} x {context.height} pixels; make it smaller.")
        fps = float(stream.average_rate or 0)
        if count == 0:
            raise ValueError(f"{_name(path)} holds no pictures; it may not have been written to its end.")
        return Index(context.height, context.width, fps, context.name, tuple(keyframes or [0]), count, is_cut_short)


def planned(index: Index, budget: float = PIXEL_BUDGET) -> list[tuple[int, int]]:
    """Return the runs to decode, (first, beyond the last): all in one, or a part from each keyframe within a budget."""
    most = max(int(budget // max(index.height * index.width, 1)), 1)
    if index.num_packets <= most:
        return [(0, index.num_packets)]
    starts = index.keyframes
    some = min(most, MANY_KEYFRAMES)
    if len(starts) >= some:
        starts = [starts[i * len(starts) // some] for i in range(some)]
        return [(start, start + 1) for start in starts]
    each = most // len(starts)
    ends = (*starts[1:], index.num_packets)
    return [(start, min(start + each, end)) for start, end in zip(starts, ends, strict=True)]


def decoded(
    path: Path, runs: list[tuple[int, int]], only: frozenset[int] | None = None
) -> Iterator[tuple[tuple[int, int], av.VideoFrame]]:
    """Decode runs (`only` some of them) in order and yield ((run, place in it), frame); the same at each call.

    Packets that are broken are passed over; a file that breaks off ends there.
    """
    import av

    with _opened(path) as (container, stream):
        context = _decoder(stream)
        packets = _packets(container, stream)
        for number, (start, beyond) in enumerate(runs):
            if only is not None and number not in only:
                continue
            place = 0
            for position, packet in packets:
                if position < start:
                    continue
                try:
                    for frame in context.decode(packet):
                        yield (number, place), frame
                        place += 1
                except av.FFmpegError:
                    pass
                if position == beyond - 1:
                    break
            try:
                for frame in context.decode(None):
                    frame.time_base = stream.time_base  # which these last ones lack
                    yield (number, place), frame
                    place += 1
            except av.FFmpegError:
                pass
            context.flush_buffers()


def uprightness(path: Path) -> tuple[int, int, Turn]:
    """Return height, width and turn of the first frame as a player shows it: upright, with square pixels."""
    with _opened(path) as (_, stream):
        aspect = stream.sample_aspect_ratio or Fraction(1)
    for _, frame in decoded(path, [(0, 64)]):
        turn, height, width = _turn(frame), frame.height, frame.width
        if Fraction(1, 8) <= aspect <= 8:
            height, width = (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)
        return (width, height, turn) if turn.is_turned else (height, width, turn)
    raise ValueError(f"{_name(path)} cannot be decoded: it is broken or was not written to its end.")


def picture(frame: av.VideoFrame, height: int, width: int, turn: Turn) -> np.ndarray:
    """Return a frame upright and in sRGB as uint8 [height,width,3], or [height,width,4] where its format has alpha.

    Straight colour. Shrinking is by area; PQ and HLG are tone-mapped.
    """
    size = (width, height) if turn.is_turned else (height, width)
    if _has_alpha(frame):
        pixels = Image.fromarray(_converted(frame, "rgba", (frame.height, frame.width)))
        pixels = np.asarray(pixels.resize((size[1], size[0]), Image.Resampling.BOX))  # colours weighted by alpha
    elif frame.color_trc in TRANSFERS:
        pixels = tone_mapped(_converted(frame, "rgb48le", size), TRANSFERS[frame.color_trc])
    else:
        pixels = _converted(frame, "rgb24", size)
    return _turned(pixels, turn)


def grey(frame: av.VideoFrame, height: int, width: int, turn: Turn) -> np.ndarray:
    """Return a frame's brightness, upright, as uint8 [height,width]; see `brightness` for transparency."""
    if _has_alpha(frame):
        return brightness(picture(frame, height, width, turn))
    size = (width, height) if turn.is_turned else (height, width)
    return _turned(_converted(frame, "gray", size), turn)


def brightness(pixels: np.ndarray) -> np.ndarray:
    """Return the brightness of uint8 [H,W,3|4] pixels as uint8 [H,W]; what is transparent is darkest."""
    luma = pixels[..., :3] @ np.array([0.299, 0.587, 0.114])
    if pixels.shape[2] == 4:
        luma = pixels[..., 3] / 255 * (64 + 0.75 * luma)
    return luma.round().astype(np.uint8)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, Any]]:
    """Open a file and give its container and its first video stream that is no cover picture."""
    import av
    from av.stream import Disposition

    with ExitStack() as stack:
        try:
            if path.exists() and not path.is_file():
                raise ValueError(f"{_name(path)} is no file; pass a video, or a folder of pictures.")
            file = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no {_name(path)}; pass a video, or a folder of pictures.") from None
        except OSError as error:
            raise ValueError(f"{_name(path)} cannot be read ({error.strerror}); check its permissions.") from None
        if os.fstat(file.fileno()).st_size == 0:
            raise ValueError(f"{_name(path)} is empty; pass a video that was written to its end.")
        try:
            container = stack.enter_context(av.open(file, options={"format_whitelist": CONTAINERS}))
        except (av.FFmpegError, OSError):
            raise ValueError(
                f"{_name(path)} is no video that can be read: it is damaged, was not written to its end, or is "
                f"something else; pass one of {', '.join(SUFFIXES[:7])}."
            ) from None
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise ValueError(f"{_name(path)} holds no pictures, only sound; pass a video.")
        stream = streams[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = min(MOST_THREADS, os.cpu_count() or 1)
        yield container, stream


def _packets(container: InputContainer, stream: Any) -> Iterator[tuple[int, Any]]:
    """Number the packets of a stream; a file that breaks off ends there."""
    import av

    position = 0
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield position, packet
                position += 1
    except av.FFmpegError:
        return


def _decoder(stream: Any) -> Any:
    """Return the stream's decoder, or the one that knows the alpha of VP8 and VP9 where the file says there is some."""
    import av
    import av.codec

    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1" or name not in av.codec.codecs_available:
        return stream.codec_context
    context = av.CodecContext.create(name, "r")
    context.extradata = stream.codec_context.extradata
    return context


def _converted(frame: av.VideoFrame, pixel_format: str, size: tuple[int, int]) -> np.ndarray:
    from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

    is_smaller = size[0] * size[1] < frame.height * frame.width
    method = Interpolation.AREA if is_smaller else Interpolation.BICUBIC
    flags = method | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
    matrix = Colorspace.ITU709 if frame.colorspace == NOT_SAID and frame.height >= HAS_OWN_MATRIX else None
    made = VideoReformatter().reformat(  # the frame's own would keep it alive
        frame, size[1], size[0], pixel_format, src_colorspace=matrix, interpolation=int(flags), threads=1
    )
    return made.to_ndarray()


def _turn(frame: av.VideoFrame) -> Turn:
    """Read the display matrix: a pixel at (x, y) goes to (a x + c y, b x + d y), y down, in 16.16 fixed point.

    Asked of one frame only: PyAV keeps a frame in memory that was asked for its side data.
    """
    sides: Any = frame.side_data
    for side in sides:
        if side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(side), "<i4")[:5].tolist()
            is_turned = abs(b) + abs(c) > abs(a) + abs(d)
            return Turn(True, b < 0, c < 0) if is_turned else Turn(False, d < 0, a < 0)
    return Turn()


def _turned(pixels: np.ndarray, turn: Turn) -> np.ndarray:
    pixels = pixels.swapaxes(0, 1) if turn.is_turned else pixels
    return np.ascontiguousarray(pixels[:: -1 if turn.down else 1, :: -1 if turn.across else 1])


def _has_alpha(frame: av.VideoFrame) -> bool:
    return frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)


def _name(path: Path) -> str:
    """Return a path that can be printed and written, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "replace")
