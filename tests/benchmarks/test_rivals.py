"""`benchmarks.rivals` with stand-in networks that recognise classes by their colours."""

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from color_network import MEAN, STD, write_onnx, write_torchscript
from paper_dolls import Doll, draw_many, write_parquet
from PIL import Image
from tiny_segformer import tiny_config
from transformers import SegformerForSemanticSegmentation, SegformerImageProcessorPil

from benchmarks import rivals
from benchmarks.rival_models import CLOTH_SEG, Rival, Schp, open_rival
from clothseg.errors import ConfigError, ModelError
from clothseg.labels import ATR, FASHN, LIP
from clothseg.options import SegmentOptions


PLAIN = SegmentOptions(edges="plain", zoom="off", orientation="upright", rules=False)

CLOTH_SEG_COLORS = [ATR.palette[ATR.label2id[name]] for name in ("Background", "Upper-clothes", "Pants", "Dress")]


@pytest.fixture(scope="module")
def painted() -> list[Doll]:
    """Dolls in the colours of their classes, half of them wide."""
    dolls = [*draw_many(3, 0, 320, 200), *draw_many(3, 9, 200, 320)]
    return [doll._replace(image=ATR.palette[doll.mask]) for doll in dolls]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Stand-in model for each kind of rival."""
    folder = tmp_path_factory.mktemp("rivals")
    of_schp = ("parsing", "fusion", "edge")
    torch.manual_seed(0)
    named = {"id2label": dict(FASHN.id2label), "label2id": dict(FASHN.label2id)}
    SegformerForSemanticSegmentation(tiny_config(**named)).save_pretrained(folder / "fashn")
    SegformerImageProcessorPil(size={"height": 576, "width": 384}).save_pretrained(folder / "fashn")
    colors = ATR.palette[: len(ATR)], LIP.palette[: len(LIP)]
    return {
        "schp-atr": str(write_onnx(folder / "atr.onnx", colors[0], 512, "BGR", of_schp)),
        "schp-lip": str(write_onnx(folder / "lip.onnx", colors[1], 473, "BGR", of_schp)),
        "cloth-seg": str(write_onnx(folder / "cloth.onnx", CLOTH_SEG_COLORS, 768, "RGB")),
        "fashn": str(folder / "fashn"),
    }


def inside(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Pixels without another class within three pixels; at borders the colours are mixed."""
    kernel = np.ones((7, 7), np.uint8)
    return cv2.erode(mask, kernel) == cv2.dilate(mask, kernel)


def share(rival: Rival, doll: Doll) -> float:
    """Share of correct pixels inside of classes for a stand-in with ATR's classes."""
    found = rival(Image.fromarray(doll.image))
    assert found.shape == doll.mask.shape and found.dtype == np.uint8
    kept = inside(doll.mask)
    return float((found == doll.mask)[kept].mean())


def test_schp_sees_the_whole_photo_without_shift(painted: list[Doll], models: dict[str, str], tmp_path: Path) -> None:
    colors = ATR.palette[: len(ATR)]
    swapped = Schp(str(write_onnx(tmp_path / "rgb.onnx", colors, 512, "RGB")), ATR, 512)
    named = Schp(str(write_onnx(tmp_path / "n.onnx", colors, None, "BGR", ("logits", "parsing", "edge"))), ATR, 512)
    script = Schp(str(write_torchscript(tmp_path / "schp.pt", colors, "BGR")), ATR, 512)
    exported = open_rival(f"schp-atr={models['schp-atr']}", PLAIN)
    for doll in (painted[0], painted[3]):
        assert min(share(rival, doll) for rival in (exported, named, script)) > 0.999
        assert share(swapped, doll) < 0.99  # the check is sensitive to channel order
        found = exported(Image.fromarray(doll.image))
        places = [(0, 0), (2, 0), (-2, 0), (0, 2), (0, -2)]
        hits = [(found == np.roll(doll.mask, place, (0, 1))).mean() for place in places]
        assert max(hits) == hits[0]


def test_cloth_seg_borders_have_no_spurious_classes(models: dict[str, str]) -> None:
    rival = open_rival(f"cloth-seg={models['cloth-seg']}", PLAIN)
    truth = np.zeros((300, 200), np.uint8)
    truth[40:140, 50:150], truth[140:280, 50:150] = 1, 3
    found = rival(Image.fromarray(np.uint8(CLOTH_SEG_COLORS)[truth]))
    assert (found == truth)[inside(truth)].all() and not (found == 2)[60:130, 45:155].any()
    assert rival.labels is CLOTH_SEG


def test_fashn_reduces_by_area_means(models: dict[str, str]) -> None:
    rival = open_rival(f"fashn={models['fashn']}", PLAIN)
    photo = np.random.default_rng(0).integers(0, 256, (1152, 768, 3), np.uint8)  # twice the network's input
    halved = np.floor(photo.reshape(576, 2, 384, 2, 3).mean((1, 3)) + 0.5)
    pixels = ((halved / 255 - MEAN) / STD).transpose(2, 0, 1)[None]
    with torch.inference_mode():
        logits = SegformerForSemanticSegmentation.from_pretrained(models["fashn"])(torch.tensor(pixels).float()).logits
    expected = torch.nn.functional.interpolate(logits, (1152, 768), mode="bilinear").argmax(1)[0].numpy()
    assert (rival(Image.fromarray(photo)) == expected).mean() > 0.99 and rival.labels is FASHN


def test_rivals_benchmark_compares_all_models(
    painted: list[Doll], models: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(tmp_path / "validation.parquet", painted)
    named = [f"{kind}={file}" for kind, file in models.items()]
    assert rivals.main([str(tmp_path), "--models", *named[:2], "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "Upper-clothes: Upper-clothes = Upper-clothes + Coat" in said and "Not scored: Belt, Bag." in said
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    first, second = figures["models"]
    assert first["model"] == "atr.onnx" and second["model"] == "lip.onnx" and figures["photos"] == len(painted)
    assert first["figures"]["overall_accuracy"] > 0.95 < second["figures"]["overall_accuracy"]
    assert first["less_than_first"] == [0, 0]
    low, high = first["intervals"]["mean_iou"]
    assert low <= first["figures"]["mean_iou"] <= high
    assert rivals.main([str(tmp_path), "--models", *named, "plain=embedded", "--photos", "2"]) == 0
    said = capsys.readouterr().out
    assert "Scored on the 4 classes that all share: Background, " in said
    assert ": Skirt + Pants = lower body" in said and "embedded (plain)" in said


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("{lip}", "is a file: say what it is, such as schp-atr="),
        ("schp={lip}", "unknown kind 'schp'; the kinds are schp-atr, schp-lip, fashn, cloth-seg, plain"),
        ("schp-atr=nowhere.onnx", "nowhere.onnx: there is no such file"),
        ("schp-atr={pointer}", "cannot be read as ONNX .it is a git-lfs pointer: run git lfs pull"),
        ("schp-lip={weights}", "cannot be read as TorchScript.*has to be exported first"),
        ("fashn=clothseg/weights", "is not FASHN's human parser: its classes are Background, Hat"),
    ],
)
def test_invalid_models_raise_clear_errors(models: dict[str, str], tmp_path: Path, stated: str, message: str) -> None:
    (tmp_path / "pointer.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    torch.save({"state_dict": {"a": torch.zeros(1)}}, tmp_path / "schp.pth")
    files = {"lip": models["schp-lip"], "pointer": tmp_path / "pointer.onnx", "weights": tmp_path / "schp.pth"}
    with pytest.raises((ConfigError, ModelError), match=message):
        open_rival(stated.format(**files), PLAIN)


def test_wrong_number_of_classes_raises_model_error(models: dict[str, str]) -> None:
    rival = open_rival(f"schp-atr={models['schp-lip']}", PLAIN)
    photo: npt.NDArray[np.uint8] = np.zeros((40, 30, 3), np.uint8)
    with pytest.raises(ModelError, match=r"lip\.onnx has no output of 18 classes, only of the shapes 1×20×118×118, "):
        rival(Image.fromarray(photo))
