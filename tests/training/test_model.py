"""Which network a name stands for."""

from pathlib import Path

import pytest
import torch
from transformers import SegformerForSemanticSegmentation

from clothseg.errors import ClothsegError, ModelError
from clothseg.labels import ID2LABEL
from clothseg.models.clothseg_lite import LiteForSemanticSegmentation
from clothseg.training.model import build_model, build_processor, imagenet_weights, mit_config


@pytest.mark.parametrize(("size", "millions"), [(0, 3.7), (1, 13.7), (2, 27.4), (3, 47.2), (4, 64.0), (5, 84.6)])
def test_architectures_are_known_without_the_hub(size: int, millions: float) -> None:
    """Parameter counts are SegFormer's published ones (Xie et al., 2021, table 1a), which count the same parts."""
    config = mit_config(f"nvidia/mit-b{size}")
    with torch.device("meta"):
        model = SegformerForSemanticSegmentation(config)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)
    assert config.id2label == ID2LABEL


def test_lite_starts_from_imagenet_or_at_random() -> None:
    stem = imagenet_weights("lite2")["_conv_stem.weight"]
    trained, scratch = build_model("lite2"), build_model("lite2", from_scratch=True)
    assert isinstance(trained, LiteForSemanticSegmentation)
    assert torch.equal(trained.encoder.stem[1].weight, stem)
    assert not torch.equal(scratch.encoder.stem[1].weight, stem)


def test_missing_imagenet_package_is_named() -> None:
    with pytest.raises(ModelError, match=r"pip install it, or train .* --from_scratch"):
        build_model("lite1")  # its package is not among the pinned ones


def test_a_folder_is_loaded_and_a_head_of_other_size_made_anew(tiny_model: Path, tmp_path: Path) -> None:
    base = SegformerForSemanticSegmentation.from_pretrained(tiny_model)
    assert torch.equal(build_model(str(tiny_model)).decode_head.classifier.weight, base.decode_head.classifier.weight)
    other = SegformerForSemanticSegmentation.from_pretrained(
        tiny_model,
        num_labels=5,
        id2label={i: str(i) for i in range(5)},
        ignore_mismatched_sizes=True,
    )
    other.save_pretrained(tmp_path)
    model = build_model(str(tmp_path))
    assert model.decode_head.classifier.out_channels == 18 and model.config.id2label == ID2LABEL
    assert torch.equal(model.decode_head.linear_fuse.weight, base.decode_head.linear_fuse.weight)
    scratch = build_model(str(tiny_model), from_scratch=True)
    assert not torch.equal(scratch.decode_head.linear_fuse.weight, base.decode_head.linear_fuse.weight)


@pytest.mark.parametrize("name", ["no such/model name", "user/unknown", "nowhere"])
def test_unknown_names_are_one_sentence(name: str) -> None:
    with pytest.raises(ClothsegError) as caught:
        build_model(name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        build_model(str(tmp_path))


def test_processor_squashes_and_keeps_background() -> None:
    processor = build_processor((64, 32))
    assert processor.size == {"height": 64, "width": 32} and not processor.do_reduce_labels
