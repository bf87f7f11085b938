"""Segmenting frames with temporal smoothing."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from moving_pictures import Clip, handheld, waving
from paper_dolls import draw

from clothseg import ConfigError, ImageError, Segmenter
from clothseg.images.decode import load_photo
from clothseg.labels import ATR, LABEL2ID, NUM_CLASSES
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.pipeline import aspect_preserving_size
from clothseg.video.optical_flow import Motion, consistency
from clothseg.video.stream import PAST, Stream, Window, figure_of, mixed, segment_frames


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model, engine="torch", device="cpu")


@pytest.fixture(scope="module")
def clip() -> Clip:
    doll = draw(3, 256, 192)
    return handheld(doll.image, doll.mask, 12, np.random.default_rng(0))


def still(height: int, width: int) -> Motion:
    return Motion(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))


def random_probabilities(rng: np.random.Generator, height: int = 12, width: int = 8) -> np.ndarray:
    return rng.dirichlet(np.ones(NUM_CLASSES), (height, width)).transpose(2, 0, 1).astype(np.float32)


def test_smoothing_improves_temporal_consistency(segmenter: Segmenter, clip: Clip) -> None:
    kept = {}
    for smooth in (False, True):
        maps = [result.label_map for result in segment_frames(segmenter, clip.frames, smooth=smooth)]
        pairs = zip(maps[1:], maps, clip.motions[1:], strict=False)
        kept[smooth] = np.mean([consistency(*pair) for pair in pairs])
    assert 1 - kept[True] < 0.6 * (1 - kept[False])


def test_frames_without_smoothing_and_zoom_equal_photos(segmenter: Segmenter, clip: Clip) -> None:
    for edges in ("plain", "guided"):
        results = segment_frames(segmenter, clip.frames[:3], smooth=False, zoom="off", edges=edges, batch_size=2)
        for frame, result in zip(clip.frames, results, strict=False):
            photo = segmenter(frame, zoom="off", edges=edges)
            assert np.array_equal(result.label_map, photo.label_map)
            assert np.array_equal(np.asarray(result.photo), frame)
            assert set(result.confidence) <= set(photo.confidence) and result.model == segmenter.name


def test_lazy_batches_equal_single_calls(segmenter: Segmenter, clip: Clip) -> None:
    stream = Stream(segmenter, zoom="off")
    many = segment_frames(segmenter, clip.frames[:6], zoom="off", batch_size=4)
    for frame, result in zip(clip.frames, many, strict=False):
        assert np.array_equal(stream(frame).label_map, result.label_map)


def test_frames_are_read_lazily(segmenter: Segmenter, clip: Clip) -> None:
    taken = []

    def endless() -> Iterator[np.ndarray]:
        while True:
            taken.append(len(taken))
            yield clip.frames[len(taken) % len(clip.frames)]

    results = segment_frames(segmenter, endless(), batch_size=2)
    next(results)
    results.close()
    assert len(taken) <= 4


def test_scene_cut_resets_smoothing(segmenter: Segmenter, clip: Clip) -> None:
    other = draw(9, *clip.labels[0].shape).image
    alone = Stream(segmenter)(other)
    (*_, after) = segment_frames(segmenter, [*clip.frames[:5], other])
    assert np.array_equal(after.label_map, alone.label_map)


def test_frame_size_may_change(segmenter: Segmenter, clip: Clip) -> None:
    frames = [clip.frames[0], clip.frames[1][:100], clip.frames[2]]
    assert [result.label_map.shape for result in segment_frames(segmenter, frames)] == [f.shape[:2] for f in frames]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edges": "soft"}, "edges can be plain or guided, not 'soft'"),
        ({"zoom": "on"}, "zoom can be off or auto, not 'on'"),
        ({"batch_size": 0}, "The batch size must be at least 1, not 0"),
    ],
)
def test_invalid_options_raise_before_the_first_frame(segmenter: Segmenter, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        segment_frames(segmenter, [], **options)


def test_invalid_frames_raise_image_error(segmenter: Segmenter) -> None:
    with pytest.raises(ImageError, match="expected \\(height, width, 3\\)"):
        list(segment_frames(segmenter, [np.zeros((4, 4), np.uint8)]))
    assert list(segment_frames(segmenter, [])) == []


# Mixing.


def test_still_scene_is_averaged(rng: np.random.Generator) -> None:
    box = Box(0, 0, 80, 120)
    now, before = Window(box, random_probabilities(rng)), Window(box, random_probabilities(rng))
    both = mixed(now, before, still(60, 40), (120, 80))
    np.testing.assert_allclose(
        both.probabilities, PAST * before.probabilities + (1 - PAST) * now.probabilities, atol=1e-5
    )
    np.testing.assert_allclose(both.probabilities.sum(axis=0), 1, atol=1e-5)


def test_untrusted_motion_keeps_the_networks_output(rng: np.random.Generator) -> None:
    box, motion = Box(0, 0, 80, 120), still(60, 40)
    now, before = Window(box, random_probabilities(rng)), Window(box, random_probabilities(rng))
    assert mixed(now, None, motion, (120, 80)) is now and mixed(now, before, None, (120, 80)) is now
    untrusted = motion._replace(trust=np.zeros_like(motion.trust))
    np.testing.assert_allclose(mixed(now, before, untrusted, (120, 80)).probabilities, now.probabilities)


def test_past_probabilities_follow_motion_and_boxes(rng: np.random.Generator) -> None:
    """The scene moves right by 10 pixels, one cell of the grid, and then through another box."""
    size, grid = (120, 80), random_probabilities(rng)
    motion = Motion(np.full((120, 80, 2), (-10, 0), np.float32), np.ones((120, 80), np.float32))
    nothing = np.zeros_like(grid)
    moved = mixed(Window(Box(0, 0, 80, 120), nothing), Window(Box(0, 0, 80, 120), grid), motion, size).probabilities
    np.testing.assert_allclose(moved[:, :, 1:], PAST * grid[:, :, :-1], atol=1e-4)
    assert not moved[:, :, 0].any()  # came in from outside
    part = mixed(
        Window(Box(20, 30, 60, 90), nothing[:, :6, :4]), Window(Box(0, 0, 80, 120), grid), still(120, 80), size
    )
    np.testing.assert_allclose(part.probabilities, PAST * grid[:, 3:9, 2:6], atol=1e-4)


# Zoom crops.


def test_figure_box_is_in_frame_pixels() -> None:
    labels = np.zeros((12, 8), np.uint8)
    labels[3:9, 2:5] = 4
    labels[0, 7] = 3  # a speck
    window = Window(Box(100, 200, 180, 320), np.eye(NUM_CLASSES, dtype=np.float32)[labels].transpose(2, 0, 1))
    assert figure_of(window) == Box(120, 230, 150, 290)
    assert figure_of(Window(window.box, np.eye(NUM_CLASSES, dtype=np.float32)[0 * labels].transpose(2, 0, 1))) is None


class RedSegmenter:
    """A stand-in for a segmenter that labels red as clothes and records its inputs."""

    image_size = (192, 128)
    name = "seeing"
    labels = ATR

    def wide_size(self, photo_size: tuple[int, int]) -> tuple[int, int]:
        return aspect_preserving_size(photo_size, self.image_size)

    def __init__(self) -> None:
        self.shown: list[tuple[int, int]] = []
        self.sizes: list[tuple[int, int]] = []

    def logits(self, photos: list, size: tuple[int, int] | None = None) -> np.ndarray:
        self.shown += [photo.size for photo in photos]
        height, width = size or self.image_size
        self.sizes.append((height, width))
        out = np.zeros((len(photos), NUM_CLASSES, height // 4, width // 4), np.float32)
        for logits, photo in zip(out, photos, strict=True):
            small = np.asarray(photo.resize((width // 4, height // 4))).astype(np.float32)
            logits[0], logits[4] = 6, (small[..., 0] - small[..., 1]) / 8
        return out


class TruthSegmenter(RedSegmenter):
    """A stand-in for a segmenter that returns a clip's true labels at the network's resolution."""

    def __init__(self, clip: Clip) -> None:
        super().__init__()
        self.left = list(clip.labels)

    def logits(self, photos: list, size: tuple[int, int] | None = None) -> np.ndarray:
        maps = [self.left.pop(0) for _ in photos]
        planes = [np.eye(NUM_CLASSES, dtype=np.float32)[labels] for labels in maps]
        small = [
            [cv2.resize(each, (32, 48), interpolation=cv2.INTER_AREA) for each in np.moveaxis(p, 2, 0)] for p in planes
        ]
        return 6 * np.asarray(small, np.float32)


def scene(x: int, seen: bool = True) -> np.ndarray:
    frame = np.full((240, 480, 3), 120, np.uint8)
    frame += np.random.default_rng(0).integers(0, 30, frame.shape[:2])[..., None].astype(np.uint8)
    if seen:
        cv2.rectangle(frame, (x, 60), (x + 40, 180), (230, 20, 20), -1)
    return frame


def test_zoom_crop_follows_the_figure_smoothly() -> None:
    seeing = RedSegmenter()
    frames = [scene(40 + 4 * index) for index in range(60)]
    results = list(segment_frames(seeing, frames, edges="plain", batch_size=1))  # type: ignore[arg-type]
    for index, result in enumerate(results[1:], start=1):
        left = 40 + 4 * index
        assert result.mask("Upper-clothes")[80:160, left + 6 : left + 34].all()
        assert not result.mask("Upper-clothes")[:, : left - 16].any()
    whole = [size for size in seeing.shown if size == (480, 240)]
    assert len(whole) == 2 and len(seeing.shown) == len(frames) + 2
    windows = [size for size in seeing.shown if size != (480, 240)]
    assert all(156 <= height <= 240 and width <= 0.8 * height for width, height in windows)


def test_distant_people_use_the_aspect_preserving_size() -> None:
    apart = np.where(scene(60) != scene(0, seen=False), scene(60), scene(400))
    for zoom, sizes in (
        ("auto", {aspect_preserving_size((480, 240), RedSegmenter.image_size)}),
        ("off", {RedSegmenter.image_size}),
    ):
        seeing = RedSegmenter()
        results = list(segment_frames(seeing, [apart] * 3, zoom=zoom, batch_size=1))  # type: ignore[arg-type]
        assert set(seeing.sizes) == sizes and all(result.mask("Upper-clothes")[120, 80] for result in results)
        assert all(result.mask("Upper-clothes")[120, 420] for result in results)


def test_person_filling_a_wide_frame_uses_the_default_size() -> None:
    large = scene(0, seen=False)
    cv2.rectangle(large, (60, 20), (420, 239), (230, 20, 20), -1)
    seeing = RedSegmenter()
    list(segment_frames(seeing, [large] * 3, batch_size=1))  # type: ignore[arg-type]
    assert seeing.sizes == [
        aspect_preserving_size((480, 240), RedSegmenter.image_size),
        *[RedSegmenter.image_size] * 3,
    ]


def test_cleanup_rules_apply_to_frames() -> None:
    labels = np.zeros((240, 160), np.uint8)
    labels[20:100, 40:120], labels[100:, 20:140] = LABEL2ID["Face"], LABEL2ID["Upper-clothes"]
    labels[236:, 70:80] = LABEL2ID["Left-leg"]
    labels[60:65, 150:155] = LABEL2ID["Hat"]  # not on a head
    frame = np.random.default_rng(0).integers(0, 30, (*labels.shape, 3)).astype(np.uint8)
    for edges, rules, legs, hat in (
        ("plain", False, True, True),
        ("plain", True, True, False),
        ("guided", True, False, False),
    ):
        known = TruthSegmenter(Clip([frame], [labels], []))
        (result,) = segment_frames(known, [frame], zoom="off", edges=edges, rules=rules)  # type: ignore[arg-type]
        assert ("Left-leg" in result.areas, "Hat" in result.areas) == (legs, hat), (edges, rules)


def test_person_entering_later_is_found() -> None:
    seeing = RedSegmenter()
    frames = [scene(0, seen=False)] * 3 + [scene(300)] * 3
    areas = [result.areas for result in segment_frames(seeing, frames, batch_size=1)]  # type: ignore[arg-type]
    assert [("Upper-clothes" in area) for area in areas] == [False] * 3 + [True] * 3


def test_moving_arm_does_not_lag(segmenter: Segmenter) -> None:
    """Smoothing delays few of the pixels that change between arm and background."""
    clip = waving(3, 10, np.random.default_rng(0), 240, 160)
    right = {}
    for smooth in (False, True):
        seeing = TruthSegmenter(clip)
        maps = [each.label_map for each in segment_frames(seeing, clip.frames, smooth=smooth, zoom="off")]  # type: ignore[arg-type]
        changed = [now != before for now, before in zip(clip.labels[1:], clip.labels, strict=False)]
        right[smooth] = np.mean(
            [(own == now)[where].mean() for own, now, where in zip(maps[1:], clip.labels[1:], changed, strict=True)]
        )
    assert right[True] > right[False] - 0.06


def test_transparent_frames_keep_alpha_and_are_background(segmenter: Segmenter, clip: Clip) -> None:
    alpha = np.full(clip.frames[0].shape[:2], 255, np.uint8)
    alpha[:60], alpha[60:90] = 0, 130
    frames = [np.dstack([frame, alpha]) for frame in clip.frames[:3]]
    flat = list(segment_frames(segmenter, [load_photo(frame) for frame in frames]))
    for result, other, frame in zip(segment_frames(segmenter, frames), flat, frames, strict=True):
        np.testing.assert_array_equal(result.alpha, alpha)
        np.testing.assert_array_equal(result.label_map, np.where(alpha > 0, other.label_map, 0))
        np.testing.assert_array_equal(result.on_white, other.photo)
        cutout = np.asarray(result.cutout("Background", *result.areas))
        np.testing.assert_array_equal(cutout[alpha > 0], frame[alpha > 0])
        assert not cutout[alpha == 0].any()
