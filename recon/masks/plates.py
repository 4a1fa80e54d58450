"""The background without the subject, put together from the other frames: by a still camera or a far background.

A homography takes neighbouring frames onto a frame, found from features outside the subject; a camera that stands still
is the homography 1. Where the frames so laid differ, something moved on its own or stands nearer: the subject.

Shapes: F frames of h x w pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from recon.masks.backdrop import border

STILL = 0.035  # median difference of the borders of frames from a camera that stands still
NUM_NEIGHBOURS = 6  # frames laid over a frame
NUM_FEATURES = 800
RING = 0.18  # width of the border where features and agreement are looked for, in longer sides
RATIO = 0.8  # of distances to the nearest and second nearest feature (Lowe 2004)
REPROJECTION_PX = 2.0
FEWEST = 12  # inliers of a homography
AGREES = 0.06  # largest difference between a frame and another laid over it, where both show the background
MOST_COMPARED = 24  # frames that are compared with each other for what a pixel usually shows
ALIKE = 0.04  # largest difference of colours that are the same
OFTEN = 0.2  # share of frames in which a pixel must be free for its median to be the background
FORGIVEN = 0.5  # of the texture's standard deviation, for what compression makes of it
CHANCE = 0.4  # of the mean difference around a pixel counts as its own at least
TEXTURED = 0.07  # standard deviation of lightness that nothing matches by chance
GUESSED = 0.3  # sureness of what a pixel usually shows, where it is seldom free
AGREEING_SHARE = 0.6  # of the border, for a homography to count


@dataclass(frozen=True, eq=False)
class Motion:
    """Which frames show the same background, and how they lie on each other."""

    is_still: bool
    """The camera does not move against the background."""
    warps: dict[tuple[int, int], np.ndarray]
    """[3,3] each, from pixels of the first frame to pixels of the second; none where the camera stands still."""
    usual: np.ndarray | None = None
    """What each pixel shows most often [h,w,3], where the camera stands still."""

    @property
    def is_known(self) -> bool:
        return self.is_still or bool(self.warps)


def background_motion(frames: np.ndarray) -> Motion:
    """Find how the background of frames [F,h,w,3], sRGB in [0,1], moves. Cost: about 40 ms a frame at 256 pixels."""
    num_frames, height, width, _ = frames.shape
    if num_frames < 3:
        return Motion(False, {})
    ring = border(height, width, 0.06)
    edges = frames[:, ring]
    if np.median(np.abs(edges - np.median(edges, axis=0)).max(-1)) < STILL:
        return Motion(True, {}, _usual(frames))
    return Motion(False, _homographies(frames))


def plate_differences(
    frames: np.ndarray, motion: Motion, masks: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far each pixel [F,h,w] is from the background, how sure that is (0 to 1), and the background.

    Masks [F,h,w] bool say where the subject is already known to be; those pixels show no background. The background is
    [F,h,w,3]; where it is never seen, it means nothing.
    """
    if motion.usual is not None:
        plate, sureness = _still_plate(frames, motion.usual, masks)
        plates = np.broadcast_to(plate, frames.shape)
        return _differences(frames, plates, forgive=False), np.broadcast_to(sureness, frames.shape[:3]), plates
    differences, surenesses, plates = [], [], []
    for index in range(len(frames)):
        pairs = [(other, warp) for (first, other), warp in motion.warps.items() if first == index]
        plate, sureness = _warped_plate(frames, index, pairs, masks)
        differences.append(_differences(frames[index : index + 1], plate[None])[0])
        surenesses.append(sureness)
        plates.append(plate)
    return np.stack(differences), np.stack(surenesses), np.stack(plates)


def _still_plate(frames: np.ndarray, usual: np.ndarray, masks: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the background [h,w,3] of a still camera, and how sure it is [h,w].

    It is what a pixel shows most often, or the median where no subject is; less sure where that is seldom.
    """
    if masks is None:
        return usual, np.ones(frames.shape[1:3], np.float32)
    seen = ~masks
    hidden = np.where(seen[..., None], frames, np.nan)
    count = seen.sum(0)
    hidden[:, count == 0] = 0
    often = count >= max(2, OFTEN * len(frames))
    plate = np.where(often[..., None], np.nanmedian(hidden, axis=0), usual)
    return plate.astype(np.float32), np.where(often, 1.0, GUESSED + (1 - GUESSED) * textured(usual)).astype(np.float32)


def textured(plate: np.ndarray) -> np.ndarray:
    """Return how little chance it is, 0 to 1 [h,w], that something else looks like a background [h,w,3] there."""
    light = plate.mean(-1)
    variance = ndimage.uniform_filter(light**2, 5) - ndimage.uniform_filter(light, 5) ** 2
    return np.clip(np.sqrt(np.maximum(variance, 0)) / TEXTURED, 0, 1)


def _usual(frames: np.ndarray) -> np.ndarray:
    """Return each pixel's colour in the frame that most frames are like there [h,w,3]."""
    best, plate = np.zeros(frames.shape[1:3], int), frames[0].copy()
    chosen = frames[:: max(1, len(frames) // MOST_COMPARED)]
    for frame in chosen:
        alike = (np.abs(chosen - frame).max(-1) < ALIKE).sum(0)
        plate[alike > best] = frame[alike > best]
        best = np.maximum(best, alike)
    return plate


def _warped_plate(
    frames: np.ndarray, index: int, pairs: list[tuple[int, np.ndarray]], masks: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the background of one frame as its neighbours show it [h,w,3], and how sure it is [h,w].

    Without masks it is the neighbours' nearest to the frame but one: most of them show the subject elsewhere.
    """
    import cv2

    height, width = frames.shape[1:3]
    if not pairs:
        return frames[index], np.zeros((height, width), np.float32)
    laid, seen = [], []
    for other, warp in pairs:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        laid.append(cv2.warpPerspective(frames[other], warp, (width, height), flags=flags))
        shown = np.ones((height, width), np.float32) if masks is None else (~masks[other]).astype(np.float32)
        seen.append(cv2.warpPerspective(shown, warp, (width, height), flags=flags) > 0.99)
    laid, seen = np.stack(laid), np.stack(seen)  # n h w 3, n h w
    count = seen.sum(0)
    if masks is None:
        apart = np.where(seen, np.abs(laid - frames[index]).max(-1), np.inf)
        chosen = np.argsort(apart, axis=0)[np.where(count >= 3, 1, 0), np.arange(height)[:, None], np.arange(width)]
        plate = np.take_along_axis(laid, chosen[None, ..., None], axis=0)[0]
        return plate, (count >= 2).astype(np.float32)
    hidden = np.where(seen[..., None], laid, np.nan)
    hidden[:, count == 0] = 0
    return np.nanmedian(hidden, axis=0).astype(np.float32), np.clip(count / 2, 0, 1).astype(np.float32)


def _differences(frames: np.ndarray, plates: np.ndarray, forgive: bool = True) -> np.ndarray:
    """Return by how much each pixel differs from the background, or from all of its pixels around it.

    The latter forgives half a pixel. Pixels among others that differ do not match but by chance.
    """
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    found = []
    for frame, plate in zip(frames, plates, strict=True):
        frame = cv2.GaussianBlur(frame, (0, 0), 0.7)
        plate = cv2.GaussianBlur(np.ascontiguousarray(plate), (0, 0), 0.7)
        above, below = (cv2.dilate(plate, kernel), cv2.erode(plate, kernel)) if forgive else (plate, plate)
        difference = np.maximum(np.maximum(frame - above, below - frame), 0).max(-1)
        if not forgive:
            difference = np.maximum(difference - FORGIVEN * TEXTURED * textured(plate), 0)
        found.append(np.maximum(difference, CHANCE * cv2.blur(difference, (3, 3))))
    return np.stack(found)


def _homographies(frames: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Match features of the border between neighbouring frames; keep the homographies that their borders bear out."""
    import cv2

    num_frames, height, width, _ = frames.shape
    ring = border(height, width, RING).astype(np.uint8)
    finder = cv2.SIFT.create(nfeatures=NUM_FEATURES, contrastThreshold=0.02)
    grey = [cv2.cvtColor((frame * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for frame in frames]
    features = [finder.detectAndCompute(picture, ring) for picture in grey]
    warps: dict[tuple[int, int], np.ndarray] = {}
    for first in range(num_frames):
        for step in range(1, NUM_NEIGHBOURS // 2 + 1):
            second = (first + step) % num_frames
            warp = _homography(features[first], features[second])
            if warp is not None and _agrees(frames[first], frames[second], warp, ring > 0):
                warps[first, second], warps[second, first] = warp, np.linalg.inv(warp)
    return warps


def _homography(first: tuple, second: tuple) -> np.ndarray | None:
    import cv2

    (points, vectors), (other_points, other_vectors) = first, second
    if vectors is None or other_vectors is None or min(len(vectors), len(other_vectors)) < FEWEST:
        return None
    pairs = cv2.BFMatcher().knnMatch(vectors, other_vectors, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    if len(good) < FEWEST:
        return None
    xy = np.asarray([points[match.queryIdx].pt for match in good], np.float32)
    other_xy = np.asarray([other_points[match.trainIdx].pt for match in good], np.float32)
    cv2.setRNGSeed(0)
    warp, inliers = cv2.findHomography(xy, other_xy, cv2.RANSAC, REPROJECTION_PX)
    if warp is None or inliers.sum() < max(FEWEST, 0.3 * len(good)) or not 0.3 < abs(np.linalg.det(warp)) < 3:
        return None
    return warp


def _agrees(first: np.ndarray, second: np.ndarray, warp: np.ndarray, ring: np.ndarray) -> bool:
    """Say whether most of the border of one frame that another shows looks the same there."""
    import cv2

    height, width = ring.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpPerspective(second, warp, (width, height), flags=flags)
    both = ring & (cv2.warpPerspective(ring.astype(np.float32) * 0 + 1, warp, (width, height), flags=flags) > 0.99)
    if both.sum() < 0.1 * ring.sum():
        return False
    return bool((_differences(first[None], laid[None])[0][both] < AGREES).mean() > AGREEING_SHARE)
