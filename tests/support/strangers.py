"""Calls the app over plain HTTP, as untrusted visitors can."""

import json
import re
from typing import Any

import httpx


META = {"_type": "gradio.FileData"}


def call(app: str, endpoint: str, data: Any) -> tuple[str, Any]:
    """Call an endpoint over plain HTTP; returns ("complete", outputs) or ("error", message)."""
    answer = httpx.post(f"{app}/gradio_api/call/{endpoint}", json={"data": data}, timeout=60)
    if answer.status_code != 200:
        return "error", answer.text
    stream = httpx.get(f"{app}/gradio_api/call/{endpoint}/{answer.json()['event_id']}", timeout=60).text
    event, result = re.findall(r"event: (\w+)\ndata: (.*)", stream)[-1]
    found = json.loads(result)
    return event, found["error"] if event == "error" else found


def upload(app: str, name: str, data: bytes) -> str:
    return httpx.post(f"{app}/gradio_api/upload", files={"files": (name, data)}).raise_for_status().json()[0]
