"""The simulated user's clicks: placement, counting, and fitting the click network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from doll_rows import write_dolls
from paper_dolls import draw
from PIL import Image

from benchmarks.clicks import click_through, clicks_to_reach, next_click, perfect_answer
from benchmarks.fit_clicks import ClickNetwork, main, use
from clothseg import Click, Segmentation, Segmenter
from clothseg.labels import IGNORE, LABEL2ID
from clothseg.postprocess import click_network
from clothseg.postprocess.click_features import REGION_FEATURES
from clothseg.postprocess.click_network import membership


def test_next_click_is_in_the_middle_of_the_largest_error() -> None:
    truth = np.zeros((40, 60), np.uint8)
    truth[10:21, 10:31], truth[30:35, 50:55] = LABEL2ID["Dress"], LABEL2ID["Hat"]
    found = np.zeros_like(truth)
    click = next_click(truth, found)
    assert click is not None and click.label == "Dress" and click.y == 15 and 15 <= click.x <= 25
    found[10:21, 10:31] = LABEL2ID["Dress"]
    assert next_click(truth, found) == Click(52, 32, "Hat")
    truth[30:35, 50:55] = IGNORE
    assert next_click(truth, found) is None


@pytest.mark.parametrize(("kind", "right"), [("region", 20), ("pair", 30), ("class", 25)])
def test_perfect_answers_make_right_what_they_say(kind: str, right: int) -> None:
    dress, skirt, hat = LABEL2ID["Dress"], LABEL2ID["Skirt"], LABEL2ID["Hat"]
    truth = np.array([[dress] * 20 + [0] * 5 + [dress] * 5 + [skirt] * 10], np.uint8)
    found = np.array([[skirt] * 20 + [0] * 5 + [hat] * 5 + [dress] * 10], np.uint8)
    result = Segmentation(Image.new("RGB", (40, 1)), found)
    after = perfect_answer(result, truth, Click(3, 0, "Dress"), kind)
    assert (after.label_map == truth).sum() - 5 == right


def test_clicks_to_reach_counts_clicks_and_failures() -> None:
    scores = np.array([[0.9, 0.9, 0.9], [0.5, 0.7, 0.85], [0.1, 0.2, 0.3]])
    assert clicks_to_reach(scores, 0.8) == (pytest.approx((0 + 2 + 2) / 3), 1)


def test_weights_are_fitted_and_used(tiny_model: Path, tmp_path: Path) -> None:
    write_dolls(tmp_path, 2, bad=False)
    write_dolls(tmp_path, 4, bad=False, part="validation", seed=10)
    with np.load(click_network.WEIGHTS) as stored:
        shipped = dict(stored)
    start = shipped | {"cell_0.weight": shipped["cell_0.weight"][:, :34]}  # of a release with fewer features
    np.savez(tmp_path / "start.npz", **start)  # type: ignore[arg-type]
    argv = [str(tmp_path), "--model", str(tiny_model), "--steps", "2", "--out", str(tmp_path / "weights.npz")]
    main([*argv, "--start", str(tmp_path / "start.npz")])
    with np.load(tmp_path / "weights.npz") as fitted:
        assert {name: each.shape for name, each in fitted.items()} == {n: each.shape for n, each in shipped.items()}
        network = ClickNetwork(shipped["cell_0.weight"].shape[1])
        network.load_state_dict({f"layers.{name}": torch.from_numpy(each) for name, each in fitted.items()})
    segmenter = Segmenter.from_pretrained(tiny_model)
    rows = [(doll.image, doll.mask) for doll in (draw(seed, 120, 80) for seed in range(2))]
    before = click_network.WEIGHTS
    features = np.random.default_rng(0).normal(size=(network.layers["cell_0"].in_channels, 48, 32)).astype(np.float32)
    of_click, of_region = features[:-REGION_FEATURES], features[-REGION_FEATURES:]
    try:
        use(tmp_path / "weights.npz")
        share = membership(of_click, of_region)
        found = click_through(segmenter, rows, most=2)
        result = segmenter.refine(segmenter(Image.fromarray(rows[0][0])), [Click(40, 60, "Scarf")])
        assert result.label_map[60, 40] == LABEL2ID["Scarf"]
    finally:
        use(before)
    with torch.inference_mode():
        logits = network(torch.from_numpy(features)[None])[0]
    np.testing.assert_allclose(share, torch.sigmoid(logits).numpy(), atol=2e-3)  # stored at half precision
    assert found.counts.shape == (2, 3, 18, 18) and (found.counts.sum(axis=(2, 3)) == 120 * 80).all()
    right = np.trace(found.counts, axis1=2, axis2=3)
    assert (right[:, 0] < 120 * 80).all() and len(found.seconds) == 4
