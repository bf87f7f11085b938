"""The soak test detects wrong answers and growing memory."""

import hashlib
import json
from pathlib import Path

import forked
import httpx
import numpy as np
import pytest
from markdown_tables import table

from benchmarks import (
    soak,
    soak_calls,
    soak_memory,
)


def test_short_soak_has_no_errors(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Four clients use the real app for four seconds; then SIGTERM stops it."""
    monkeypatch.setattr(soak_calls, "subprocess", forked)
    settings = f"--clients 4 --minutes {4 / 60} --alone 0.5 --library 0.2 --megapixels 0.3 1 --left 0.2"
    found = soak.main(settings.split())
    said = capsys.readouterr().out
    assert (found["wrong"], found["crossed"], found["lost"], found["status"]) == (0, 0, 0, 0), said
    assert found["right"] >= 1
    _, *rows = table(said)
    assert [row[0] for row in rows[:3]] == ["right", "refused", "busy"]
    assert "All accepted requests were answered" in said and "MB in the four quarters" in said


def test_soak_judges_right_crossed_and_wrong_answers(tmp_path: Path) -> None:
    """A fake app that gives every photo the same label map and accepts texts as photos."""

    def handler(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("upload"):
            return httpx.Response(200, json=["/tmp/photo.jpg"])
        if request.method == "POST":
            return httpx.Response(200, json={"event_id": "1"})
        if "/call/" in path:
            url = {"url": "http://soak/map"}
            return httpx.Response(200, text=f"event: complete\ndata: {json.dumps([url, url, {}])}\n")
        return httpx.Response(200, content=b"one map")

    one, other = (hashlib.sha256(data).hexdigest() for data in (b"one map", b"another"))
    client = httpx.Client(transport=httpx.MockTransport(handler), base_url="http://soak")
    for kind, expected, outcome in (
        (None, {b"a": one}, "right"),
        (None, {b"a": other, b"b": one}, "crossed"),
        (None, {b"a": other}, "wrong"),
        ("text", {b"b": one}, "wrong"),
    ):
        assert soak_calls.judge(client, b"a", kind, expected)[0] == outcome


@pytest.mark.parametrize(
    ("a_photo", "noise", "flat"), [(0.0, 0.0, True), (0.0, 3.0, True), (1.0, 0.0, True), (20.0, 3.0, False)]
)
def test_soak_measures_memory_growth_per_photo(a_photo: float, noise: float, flat: bool) -> None:
    """Ten minutes of seven photos a second; the first quarter is warm-up."""
    rng = np.random.default_rng(0)
    samples = [
        (7 * second, 800 - max(0, 100 - second) + (7 * second * a_photo) / 1024 + noise * rng.normal())
        for second in range(600)
    ]
    rise, error = soak_memory.slope(samples)
    assert abs(rise - a_photo) <= 3 * error + 1e-6 and error < 2
    said = soak_memory.report(samples)
    assert ("is flat" in said, "NOT flat" in said) == (flat, not flat)
    assert f"adds {rise:.1f} KB" in said and said.count(" MB") == 2


def test_short_soak_reports_only_peak_memory() -> None:
    samples = [(number, 800.0 + number) for number in range(5)]
    assert soak_memory.slope(samples)[1] == float("inf")
    assert "nan" not in soak_memory.report(samples)
    assert soak_memory.report(samples[:2]) == "Memory: 801 MB at most."
