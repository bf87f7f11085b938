"""Converted models are cached by everything that their conversion depends on."""

from pathlib import Path

import pytest

from clothseg import Segmenter
from clothseg.engines import cache
from clothseg.engines.cache import cache_key
from clothseg.engines.openvino_engine import OpenVinoEngine


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOTHSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_cache_key_depends_on_parts_and_package_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {cache_key(part, packages=packages) for part in ("a", "b") for packages in (("numpy",), ("torch",))}
    assert len(keys) == 4
    before = cache_key("a", packages=("numpy", "no-such-package"))
    assert before == cache_key("a", packages=("numpy", "no-such-package"))
    monkeypatch.setattr(cache, "version", lambda package: "0")
    assert before != cache_key("a", packages=("numpy", "no-such-package"))


def test_second_load_uses_the_cached_conversion(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    first = Segmenter.from_pretrained(tiny_model, engine="openvino")
    monkeypatch.setattr("clothseg.engines.openvino_engine._make", None)
    second = Segmenter.from_pretrained(tiny_model, engine="openvino", precision="fast")
    assert isinstance(first.engine, OpenVinoEngine) and isinstance(second.engine, OpenVinoEngine)
    (entry,) = folder.iterdir()
    (entry / "model.bin").write_bytes((entry / "model.bin").read_bytes()[:-1])
    with pytest.raises(TypeError):  # the damaged entry needs a new conversion
        Segmenter.from_pretrained(tiny_model, engine="openvino")
