"""Features of a click."""

import numpy as np
from PIL import Image

from clothseg.labels.known import CIHP
from clothseg.postprocess.click_features import (
    REGION_FEATURES,
    ROLES,
    features_of,
    geodesic_distance,
    place_of,
    region_features,
    view_of,
    window_of,
)
from clothseg.postprocess.click_network import membership
from clothseg.postprocess.evidence import as_evidence
from clothseg.postprocess.geometry import Box


def test_geodesic_distance_goes_around_walls() -> None:
    down, right = np.ones((19, 30), np.float32), np.ones((20, 29), np.float32)
    right[:15, [9, 10]] += 100  # to enter a wall in column 10, and to leave it
    distance = geodesic_distance(down, right, (2, 2))
    assert distance[2, 2] == 0 and distance[2, 5] == 3
    assert distance[2, 12] == 10 + 2 * 13  # down to the wall's end and up again


def test_click_features_are_rotation_invariant(rng: np.random.Generator) -> None:
    photo = np.repeat(np.repeat(rng.integers(0, 256, (8, 6, 3), np.uint8), 10, axis=0), 10, axis=1)
    logits = rng.normal(size=(18, 16, 12))
    labels = rng.integers(0, 3, (80, 60)).astype(np.uint8)
    upright = view_of(Image.fromarray(photo), as_evidence(logits, Box(0, 0, 60, 80)))
    lying = view_of(
        Image.fromarray(np.ascontiguousarray(np.rot90(photo))),
        as_evidence(np.rot90(logits, axes=(1, 2)), Box(0, 0, 80, 60)),
        rotation=90,
    )
    earlier = [((5, 7), 1), ((60, 40), 2)]
    shares = []
    for view, turned, cells in (
        (upright, labels, [(30, 20), *(cell for cell, _ in earlier)]),
        (lying, np.ascontiguousarray(np.rot90(labels)), [(59 - x, y) for y, x in ((30, 20), (5, 7), (60, 40))]),
    ):
        places = [place_of(view, cell) for cell in cells]
        features = features_of(view, turned, places[0], 1, list(zip(places[1:], (1, 2), strict=True)))
        assert features.dtype == np.float32 and np.isfinite(features).all()
        rotation = 90 if turned is not labels else 0
        region = region_features(view, turned, membership(features, rotation=rotation), 1)
        assert len(region) == REGION_FEATURES and np.isfinite(region).all()
        shares.append(membership(features, region, rotation))
    assert ((shares[0] >= 0) & (shares[0] <= 1)).all()
    np.testing.assert_allclose(np.rot90(shares[0]), shares[1], atol=0.06)


def test_classes_of_other_label_sets_are_known_by_their_roles(rng: np.random.Generator) -> None:
    photo = Image.fromarray(rng.integers(0, 256, (64, 48, 3), np.uint8))
    evidence = as_evidence(rng.normal(size=(len(CIHP), 16, 12)), Box(0, 0, 48, 64))
    view = view_of(photo, evidence, labels=CIHP)
    known = {
        name: ROLES[role] for name, role in zip(CIHP.names, view.roles.tolist(), strict=True) if role < len(ROLES)
    }
    assert known["Pants"] == "pants" and known["Socks"] == "leg" and known["Left-shoe"] == "shoe"
    assert "Torso-skin" not in known
    label_map = np.full(view.shape, CIHP.id_of("Torso-skin"), np.uint8)
    features = features_of(view, label_map, place_of(view, (30, 20)), CIHP.id_of("Pants"))
    here, clicked, was = features[-3 * len(ROLES) :].reshape(3, len(ROLES), *view.shape)
    assert not here.any() and not was.any()
    assert (clicked.argmax(axis=0) == ROLES.index("pants")).all() and (clicked.sum(axis=0) == 1).all()


def red_figure() -> tuple[Image.Image, np.ndarray]:
    """A photo of a red and a green square on grey, and the label map, which knows only one figure."""
    photo = np.full((160, 160, 3), 128, np.uint8)
    photo[40:100, 40:80], photo[40:100, 80:120] = (200, 30, 30), (30, 160, 30)
    label_map = np.zeros((160, 160), np.uint8)
    label_map[40:100, 40:120] = 4
    return Image.fromarray(photo), label_map


def test_features_of_a_region_tell_its_colour_from_what_is_around() -> None:
    photo, label_map = red_figure()
    view = view_of(photo, as_evidence(8.0 * (np.arange(18)[:, None, None] == label_map), Box(0, 0, 160, 160)))
    share = np.zeros((160, 160), np.float32)
    share[50:70, 50:70] = 0.9  # a part of the red half
    inside, ratio, color, answer = region_features(view, label_map, share, 7)
    np.testing.assert_array_equal(inside, share)
    assert ratio[90, 60] > 0.1 and ratio[90, 100] < -0.2 and ratio[10, 10] < -0.2
    assert color[90, 60] < 0.2 < 1 < color[90, 100]
    assert answer[90, 100] < 0.1 < 0.9 < answer[10, 10]
    assert not region_features(view, label_map, share, 4)[0][50:70, 50:70].any()  # has the class already


def test_window_contains_the_figure_and_the_click() -> None:
    photo, label_map = red_figure()
    view = view_of(photo, as_evidence(8.0 * (np.arange(18)[:, None, None] == label_map), Box(0, 0, 160, 160)))
    for cell in ((60, 60), (5, 150), (159, 0)):
        window = window_of(view, label_map, cell)
        inside = np.zeros((160, 160), np.bool_)
        inside[window] = True
        assert inside[cell] and inside[label_map > 0].all()
    assert window_of(view, label_map, (60, 60)) == (slice(32, 108), slice(32, 128))
