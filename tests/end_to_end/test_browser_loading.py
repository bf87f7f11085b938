"""The page in a browser while the model is still being downloaded from a slow Hub."""

import time
from pathlib import Path

import httpx
import pytest
from app_server import running_app
from browsing import upload
from chromium import PATIENCE
from huggingface_hub import HfApi
from local_hub import LocalHub
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Browser, expect


NAME, TOKEN = "alice/clothes", "hf_alice"


def test_page_works_before_a_slow_model_is_loaded(
    browser: Browser, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "holiday.png"
    Image.fromarray(draw(1, 300, 200).image).save(photo)
    with LocalHub({TOKEN: "alice"}) as hub:
        hub.use_here(monkeypatch, tmp_path / "here")
        api = HfApi(endpoint=hub.url, token=TOKEN)
        api.create_repo(NAME)
        commit = str(api.upload_folder(repo_id=NAME, folder_path=tiny_model).oid)[:10]
        hub.misbehave("slow", "GET /lfs/")
        network = hub.env(TOKEN, home=tmp_path / "home") | {"HF_HUB_OFFLINE": "0", "CLOTHSEG_MODEL": NAME}
        with running_app(tmp_path, **network) as url:
            expect.set_options(timeout=PATIENCE)

            def health() -> dict[str, object]:
                return dict(
                    httpx.post(f"{url}/gradio_api/run/health", json={"data": []}, timeout=60).json()["data"][0]
                )

            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(url)
            notice = page.get_by_role("status").filter(has_text="You can begin")
            expect(notice).to_contain_text(f"The model {NAME} is being loaded.")
            assert health() == {
                "status": "loading", "model": NAME, "revision": None, "notice": "", "image_size": None
            }  # fmt: skip
            upload(page, photo)
            deadline = time.monotonic() + 60
            while not any(line.startswith("GET /lfs/") for line in hub.requests):
                assert time.monotonic() < deadline
                page.wait_for_timeout(100)
            page.wait_for_timeout(500)
            expect(notice).to_be_visible()
            expect(page.locator("#save")).to_be_hidden()
            hub.behave()
            with page.expect_download() as download:
                page.locator("#save").click()
            assert download.value.suggested_filename == "holiday-cutout.png"
            expect(notice).to_be_hidden()
            expect(page.locator(".foot")).to_contain_text(f"Model {NAME}, commit {commit}.")
            assert health()["status"] == "ok" and str(health()["revision"]).startswith(commit)
            page.close()
            later = browser.new_page(locale="de")
            later.goto(url)
            expect(later.locator(".foot")).to_contain_text(f"Modell {NAME}, Commit {commit}.")
            assert later.locator(".coming").count() == 0
            later.close()
