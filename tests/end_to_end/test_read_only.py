"""The app on a read-only disk: it starts without a cache and warns, or refuses to start without a photo folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from app_server import ROOT, environment, free_port
from paper_dolls import draw
from pictures import encoded
from PIL import Image
from strangers import META, call, upload

from clothseg import Segmenter


IN_A_NAMESPACE = """
mount -t tmpfs tmpfs "$DISK" && cp -r "$MODEL" "$DISK/model" && mkdir "$DISK/cache" && mount -o remount,ro "$DISK"
exec "$PYTHON" app.py
"""


def start(folder: Path, model: Path, **settings: str) -> tuple[subprocess.Popen[bytes], Path]:
    """Start the app where the folder `disk` is a separate, read-only file system that holds the model."""
    done = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    (folder / "disk").mkdir()
    disk = str(folder / "disk")
    env = environment(
        DISK=disk, MODEL=str(model), PYTHON=sys.executable, CLOTHSEG_MODEL=f"{disk}/model", CLOTHSEG_MAX_TEMP_MB="1"
    )
    env |= {"CLOTHSEG_CACHE": f"{disk}/cache", "HF_HOME": f"{disk}/cache", **settings}
    log = folder / "app.log"
    with log.open("w") as output:
        command = ["unshare", "-m", "sh", "-ec", IN_A_NAMESPACE]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output), log


@pytest.fixture
def app(tiny_model: Path, tmp_path: Path) -> Iterator[tuple[str, Path, subprocess.Popen[bytes]]]:
    if shutil.which("unshare") is None:
        pytest.skip("no file system can be mounted here: there is no unshare")
    port = free_port()
    process, log = start(tmp_path, tiny_model, GRADIO_SERVER_PORT=str(port), GRADIO_TEMP_DIR=str(tmp_path / "gradio"))
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    while True:
        try:
            httpx.get(f"{url}/config", timeout=5)
            break
        except httpx.TransportError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
    yield url, log, process
    process.kill()
    process.wait()


def test_app_works_with_a_read_only_cache(
    app: tuple[str, Path, subprocess.Popen[bytes]], tiny_model: Path, tmp_path: Path
) -> None:
    """Photos are segmented, a warning names the disadvantage, and the limit of the temporary storage applies."""
    url, log, process = app
    photo = draw(1, 96, 64).image
    event, outputs = call(
        url, "segment", [{"path": upload(url, "me.png", encoded(Image.fromarray(photo), "PNG")), "meta": META}]
    )
    assert event == "complete", log.read_text()
    found = np.asarray(Image.open(outputs[1]["path"]))
    assert (found == Segmenter.from_pretrained(tiny_model)(photo).label_map).mean() > 0.999
    with pytest.raises(httpx.HTTPStatusError, match="507"):
        upload(url, "large.png", os.urandom(2**20 + 1))
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    said = log.read_text()
    assert (
        f"The cache {tmp_path}/disk/cache cannot be written (Read-only file system): the converted model is " in said
    )
    assert "Traceback" not in said


def test_read_only_photo_folder_prevents_the_start_with_a_clear_error(tiny_model: Path, tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no file system can be mounted here: there is no unshare")
    process, log = start(tmp_path, tiny_model, GRADIO_TEMP_DIR=str(tmp_path / "disk" / "gradio"))
    assert process.wait(60) == 1
    assert log.read_text().splitlines()[-1] == (
        f"The app cannot start: Photos and results cannot be kept in {tmp_path}/disk/gradio (Read-only file system); "
        "set GRADIO_TEMP_DIR to a folder that can be written to."
    )
