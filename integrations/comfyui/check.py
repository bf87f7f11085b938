"""Check the nodes in a running ComfyUI: their inputs and outputs, and the example workflow from photo to masks.

    python main.py --cpu                                        # in ComfyUI, with this folder in custom_nodes
    python check.py photo.jpg --server http://127.0.0.1:8188    # here

Only the standard library is needed. 0: the workflow ran. 1: something differs or failed, and is printed.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any


WORKFLOW = Path(__file__).parent / "example_workflows" / "clothseg.json"

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
"""Types of inputs that a node shows as a widget; lists of choices are the others."""


def widgets(node: dict[str, Any]) -> list[str]:
    """Return the names of the inputs that a node shows as widgets, in order.

    Args:
        node: what ComfyUI's `/object_info` says of the node.
    """
    specs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
    return [name for name, spec in specs.items() if isinstance(spec[0], list) or spec[0] in WIDGETS]


def as_prompt(workflow: dict[str, Any], known: dict[str, Any], photo: str) -> dict[str, Any]:
    """Return a saved workflow in the form that ComfyUI's `/prompt` takes, with a photo in its Load Image.

    Args:
        workflow: as ComfyUI saves it.
        known: `/object_info`: type of a node -> its description.
        photo: name of an uploaded picture.

    Raises:
        SystemExit: a node is not known, or has no such input.
    """
    links = {link[0]: link for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        if node["type"] not in known:
            sys.exit(f"ComfyUI does not know the node {node['type']}: is this folder in custom_nodes?")
        inputs = dict(zip(widgets(known[node["type"]]), node.get("widgets_values", ()), strict=False))
        specs = known[node["type"]]["input"]
        for slot in node.get("inputs", ()):
            if slot["name"] not in {**specs.get("required", {}), **specs.get("optional", {})}:
                sys.exit(f"The node {node['type']} has no input {slot['name']}.")
            if slot.get("link") is not None:
                _, source, output, *_ = links[slot["link"]]
                inputs[slot["name"]] = [str(source), output]
        if node["type"] == "LoadImage":
            inputs["image"] = photo
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def ask(server: str, path: str, content: Any = None, form: bytes | None = None, kind: str = "") -> Any:
    """Send a request, with a JSON body or a form if there is one, and return the JSON of the answer."""
    body = form if form is not None else None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(server + path, body, {"Content-Type": kind or "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the address is given by the user
        return json.loads(answer.read() or b"null")


def upload(server: str, photo: Path) -> str:
    """Upload a photo and return its name there."""
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{photo.name}"\r\n\r\n'
    form = head.encode() + photo.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    name: str = ask(server, "/upload/image", form=form, kind=f"multipart/form-data; boundary={mark}")["name"]
    return name


def main(argv: list[str] | None = None) -> int:
    """Run the example workflow."""
    parser = argparse.ArgumentParser(description="Check clothseg's nodes in a running ComfyUI.")
    parser.add_argument("photo", type=Path)
    parser.add_argument("--server", default="http://127.0.0.1:8188")
    arguments = parser.parse_args(argv)
    server = arguments.server.rstrip("/")
    try:
        known = ask(server, "/object_info")
        prompt = as_prompt(json.loads(WORKFLOW.read_text()), known, upload(server, arguments.photo))
        number = ask(server, "/prompt", {"prompt": prompt})["prompt_id"]
        while not (done := ask(server, f"/history/{number}").get(number)):
            time.sleep(0.5)
    except urllib.error.HTTPError as error:
        sys.stdout.write(f"{error}: {error.read().decode(errors='replace')[:2000]}\n")
        return 1
    except OSError as error:
        sys.stdout.write(f"{server} does not answer: {error}\n")
        return 1
    status = done.get("status", {})
    for node, output in done["outputs"].items():
        for picture in output.get("images", ()):
            sys.stdout.write(f"node {node}, {prompt[node]['class_type']}: {picture['filename']}\n")
    if status.get("status_str") != "success":
        sys.stdout.write(f"{json.dumps(status, indent=1)[:4000]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
