"""Calls of the app's endpoints, and what they answer."""

import io
import json
import re
from typing import Any

import httpx
import numpy as np
from PIL import Image


CUTOUT = ("photo", "classes", "options", "background")
"""Parameters of /cutout before those of the segmentation."""


def read(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def read_url(url: str) -> Image.Image:
    return Image.open(io.BytesIO(httpx.get(url).raise_for_status().content))


def call(app: str, endpoint: str, data: list[Any]) -> Any:
    """Call an endpoint over plain HTTP, as curl does."""
    answer = httpx.post(f"{app}/gradio_api/call/{endpoint}", json={"data": data}).raise_for_status()
    stream = httpx.get(f"{app}/gradio_api/call/{endpoint}/{answer.json()['event_id']}", timeout=60).text
    event, result = re.findall(r"event: (\w+)\ndata: (.*)", stream)[-1]
    return event, json.loads(result)
