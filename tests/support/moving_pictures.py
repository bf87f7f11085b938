"""Clips with known labels: a photo under a moving camera, a walking figure, a waving paper doll.

Each frame gets different noise and JPEG compression, like a camera's frames.
"""

import io
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from doll_figure import SHOULDER, paint_figure
from paper_dolls import Sheet, _look
from PIL import Image

from clothseg.labels import BACKGROUND, IGNORE


Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]


class Clip(NamedTuple):
    """`frames` (H, W, 3) uint8, their true `labels` (H, W) uint8, and where each pixel was one frame before.

    `motions` are (H, W, 2) float32, x and y in pixels of the frame before; NaN where the pixel was not to be seen.
    The first one is all NaN.
    """

    frames: list[Pixels]
    labels: list[Labels]
    motions: list[Field]


def handheld(photo: Pixels, labels: Labels, count: int, rng: np.random.Generator) -> Clip:
    """A camera that pans over a still photo, zooms and tilts a little, and trembles."""
    height, width = labels.shape
    shape = round(0.8 * height), round(0.8 * width)
    views = [_view((height, width), shape, *values) for values in _paths(count, rng)]
    frames = [_seen(photo, view, shape, cv2.INTER_LINEAR, 0) for view in views]
    truths = [_seen(labels, view, shape, cv2.INTER_NEAREST, IGNORE) for view in views]
    there = [_everywhere(shape)] + [_moved(view, before, shape) for before, view in pairwise(views)]
    return _recorded(frames, truths, there, rng)


def walking(photo: Pixels, labels: Labels, ground: Pixels, count: int, rng: np.random.Generator) -> Clip:
    """The photo's figure, cut out by its mask, crosses another ground by 1 % of the width a frame."""
    height, width = labels.shape
    still = cv2.resize(ground, (width, height), interpolation=cv2.INTER_AREA)
    figure = ((labels != BACKGROUND) & (labels != IGNORE)).view(np.uint8)
    step = rng.choice([-1, 1]) * 0.01 * width
    frames, truths, there, before = [], [], [_everywhere(labels.shape)], None
    for number in range(count):
        x, y = step * (number - count / 2), 0.006 * height * np.sin(0.9 * number)
        view = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
        body = _seen(figure, view, labels.shape, cv2.INTER_NEAREST, 0) == 1
        moved = _seen(photo, view, labels.shape, cv2.INTER_LINEAR, 0)
        frames.append(np.where(body[..., None], moved, still))
        truths.append(np.where(body, _seen(labels, view, labels.shape, cv2.INTER_NEAREST, 0), np.uint8(BACKGROUND)))
        if before is not None:
            # Pixels that were hidden behind the figure have no motion.
            ground_motion = np.where(before[1][..., None], np.nan, _grid(labels.shape))
            there.append(np.where(body[..., None], _moved(view, before[0], labels.shape), ground_motion))
        before = view, body
    return _recorded(frames, truths, there, rng)


def waving(seed: int, count: int, rng: np.random.Generator, height: int = 480, width: int = 320) -> Clip:
    """The doll of `seed` swings the arm on the right by 6 degrees a frame; all else rests."""
    look_rng = np.random.default_rng(seed)
    look = replace(_look(look_rng), bag="none")
    joints = np.concatenate([*look.arms.values(), *look.legs.values(), [(2.9, SHOULDER), (1.0, -0.9)]])
    place = look_rng.bit_generator.state
    frames, truths, there = [], [], [_everywhere((height, width))]
    for number in range(count):
        angle = np.radians(20 + 6 * abs((number + 12) % 48 - 24))
        shoulder, bend = np.array([0.68, SHOULDER]), angle + np.radians(15)
        elbow = shoulder + 1.25 * np.array([np.sin(angle), np.cos(angle)])
        arm = np.array([shoulder, elbow, elbow + 1.05 * np.array([np.sin(bend), np.cos(bend)])])
        sheet = Sheet(np.random.default_rng([seed, 1]), height, width)
        look_rng.bit_generator.state = place
        sheet.place(look_rng, joints)
        paint_figure(sheet.paint, replace(look, arms=look.arms | {1: arm}))
        frames.append(sheet.developed())
        truths.append(sheet.mask)
    for before, after in pairwise(truths):
        there.append(np.where((before == after)[..., None], _grid((height, width)), np.float32(np.nan)))
    return _recorded(frames, truths, there, rng)


def _paths(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(count, 4): x and y of the view's middle as shares of the room there is, zoom, and tilt in degrees."""
    time = np.linspace(0, 1, count)
    phase = rng.uniform(0, 2 * np.pi, 4)
    slow = np.sin(2 * np.pi * time[:, None] * rng.uniform(0.5, 1, 4) * count / 48 + phase)
    tremble = cv2.GaussianBlur(rng.standard_normal((count, 4)), (1, 5), 1)
    return (slow + 0.08 * tremble) * (0.6, 0.6, 0.08, 3) + (0, 0, 1, 0)


def _view(source: tuple[int, int], shape: tuple[int, int], x: float, y: float, zoom: float, tilt: float) -> np.ndarray:
    """(3, 3): pixels of the view to pixels of the photo."""
    cosine, sine = np.cos(np.radians(tilt)) / zoom, np.sin(np.radians(tilt)) / zoom
    middle = [side / 2 + share * 0.1 * side for side, share in zip(reversed(source), (x, y), strict=True)]
    to_origin = np.array([[1, 0, -shape[1] / 2], [0, 1, -shape[0] / 2], [0, 0, 1]])
    return np.array([[cosine, -sine, middle[0]], [sine, cosine, middle[1]], [0, 0, 1]]) @ to_origin


def _seen(picture: Pixels, view: np.ndarray, shape: tuple[int, ...], how: int, outside: int) -> Pixels:
    border = cv2.BORDER_CONSTANT if picture.ndim == 2 else cv2.BORDER_REFLECT
    return np.asarray(
        cv2.warpAffine(
            picture, view[:2], shape[::-1], flags=how | cv2.WARP_INVERSE_MAP, borderMode=border, borderValue=outside
        ),
        np.uint8,
    )


def _grid(shape: tuple[int, ...]) -> Field:
    rows, columns = np.indices(shape, np.float32)
    return np.stack([columns, rows], axis=2)


def _everywhere(shape: tuple[int, ...]) -> Field:
    return np.full((*shape, 2), np.nan, np.float32)


def _moved(view: np.ndarray, before: np.ndarray, shape: tuple[int, ...]) -> Field:
    matrix = np.linalg.inv(before) @ view
    return np.asarray(cv2.transform(_grid(shape), matrix[:2]), np.float32)


def _recorded(frames: list[Pixels], truths: list[Labels], there: list[Field], rng: np.random.Generator) -> Clip:
    """The frame with sensor noise (5 of 255) and JPEG compression of quality 70."""
    recorded = []
    for frame in frames:
        noisy = np.clip(frame + rng.normal(0, 5, frame.shape), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(noisy).save(file, "JPEG", quality=70)
        recorded.append(np.asarray(Image.open(file)))
    return Clip(recorded, truths, there)
