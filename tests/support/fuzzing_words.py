"""Random command lines and requests for fuzzing; each must end with an answer or a clear error."""

import argparse
import contextlib
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx
from fuzzing import SECONDS, mutated, plain

from clothseg import ClothsegError


def _text(random: Random) -> str:
    return random.choice(
        (
            "",
            "0",
            "-1",
            "1e999",
            "nan",
            "true",
            "None",
            "Hat",
            "all",
            "auto",
            "/nowhere/at/all",
            "\udcff.jpg",
            "a" * 5000,
            "../..",
            "owner/name",
            "a/b/c",
            "@file",
            "-",
            "{}",
            "[1]",
            "🧥",
            "18446744073709551616",
            str(random.randint(-(10**6), 10**6)),
            "".join(chr(random.choice((random.randrange(32, 127), random.randrange(1, 0x2FFF)))) for _ in range(5)),
        )
    )


def _ran(command: Callable[[list[str]], Any], arguments: list[str]) -> tuple[str, str]:
    """Exit status and output of a command line."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            status = command(arguments)
        except SystemExit as end:
            status = end.code
        except ClothsegError as error:
            plain(error, 20_000)
            return "refused", said.getvalue()
    assert "Traceback" not in said.getvalue(), said.getvalue()
    return ("done" if status in (0, None) or not isinstance(status, int) else "refused"), said.getvalue()


def fuzz_command(arguments: list[str], folder: Path) -> str:
    """Run `python -m clothseg` with arguments; its output files go into the folder."""
    from clothseg.cli import main

    inner = folder / "a" / "b"  # catches files written to ../..
    inner.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(inner):
        ended, said = _ran(main, arguments)
    assert ended == "done" or said.strip(), "a refusal says why"
    return ended


def command(random: Random) -> list[str]:
    """Arguments for `python -m clothseg`: known commands and flags, with mostly invalid values."""
    from clothseg.cli import COMMANDS

    name = random.choice([*COMMANDS, _text(random)])
    parser = argparse.ArgumentParser()
    if name in COMMANDS:
        COMMANDS[name].add_arguments(parser)
    flags = list(parser._option_string_actions)
    arguments = [name, *(_text(random) for _ in range(random.randint(0, 2)))]
    for _ in range(random.randint(0, 4)):
        arguments += [random.choice([*flags, _text(random)]), *(_text(random) for _ in range(random.randint(0, 2)))]
    return arguments


def fuzz_training(arguments: list[str], folder: Path) -> str:
    """Parse arguments of train_hf.py."""
    from clothseg.training.arguments import parse_arguments

    with contextlib.chdir(folder):
        return _ran(parse_arguments, arguments)[0]


def training(random: Random) -> list[str]:
    """Arguments for train_hf.py: any of its flags, ours and transformers', sometimes with a preset."""
    from dataclasses import fields

    from transformers import TrainingArguments

    from clothseg.training.config import TrainArguments

    flags = [field.name for kind in (TrainArguments, TrainingArguments) for field in fields(kind) if field.init]
    flags = [flag for flag in flags if not flag.startswith(("deepspeed", "fsdp", "parallelism", "accelerator"))]
    arguments = ["--output_dir", "runs/fuzz", "--use_cpu"]
    for _ in range(random.randint(1, 4)):
        arguments += [f"--{random.choice(flags)}", *(_text(random) for _ in range(random.randint(0, 2)))]
    if random.random() < 0.2:
        arguments += ["--preset", random.choice(("lite", "lite-large", "lite-taught", _text(random)))]
    return arguments


FIELDS = ("session_hash", "event_id", "fn_index", "trigger_id", "event_data", "simple_format", "data", "batched")
"""Other fields of a request's body than `data`."""


class Endpoints:
    """The endpoints of a running app, called over plain HTTP."""

    def __init__(self, url: str, photo: bytes) -> None:
        """Read the list of endpoints, and upload a photo for the calls."""
        self.url = url
        self.client = httpx.Client(timeout=2 * SECONDS)
        info = self.client.get(f"{url}/gradio_api/info").json()["named_endpoints"]
        self.inputs = {name.strip("/"): len(endpoint["parameters"]) for name, endpoint in info.items()}
        answer = self.client.post(f"{url}/gradio_api/upload", files={"files": ("me.png", photo)})
        self.photo = {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def value(self, random: Random, depth: int = 0) -> Any:
        """Any JSON, in which keys that Gradio interprets are frequent."""
        kind = random.randrange(9 if depth < 4 else 6)
        if kind == 0:
            return random.choice((None, True, False, 0, -1, 2**63, 1e308, -0.5, "no\0thing"))
        if kind < 3:
            return _text(random).encode("utf-8", "replace").decode()
        if kind < 5:
            return self.photo
        if kind == 5:
            return random.choice(([], {}, ["Hat"], ["Hat", "Pants"], "data:image/png;base64,AAAA", {"_type": "x"}))
        if kind == 6:
            return [self.value(random, depth + 1) for _ in range(random.randint(0, 4))]
        words = ("path", "url", "meta", "_type", "value", "__type__", "is_stream", "orig_name", "size", "mime_type")
        return {random.choice(words): self.value(random, depth + 1) for _ in range(random.randint(0, 4))} | (
            {"meta": {"_type": "gradio.FileData"}} if kind == 8 else {}
        )

    def request(self, random: Random) -> tuple[str, bytes]:
        """Path and body of a call."""
        name = random.choice([*self.inputs, "nothing"])
        data = [self.value(random) for _ in range(max(0, self.inputs.get(name, 1) + random.choice((0, 0, 0, -1, 1))))]
        if data and random.random() < 0.7:
            data[0] = self.photo
        body: Any = {"data": data}
        if random.random() < 0.2:
            body[random.choice(FIELDS)] = self.value(random)
        if random.random() < 0.05:
            body = self.value(random)
        text = json.dumps(body).encode()
        if random.random() < 0.1:
            text = mutated([text], random)
        return f"call/{name}" if random.random() < 0.8 else random.choice(("queue/join", f"run/{name}")), text

    def fuzz(self, path: str, body: bytes) -> str:
        """Send a request and read the answer to its end."""
        begun = time.monotonic()
        headers = {"Content-Type": "application/json"}
        answer = self.client.post(f"{self.url}/gradio_api/{path}", content=body, headers=headers)
        assert "Traceback" not in answer.text
        if answer.status_code != 200:
            assert answer.status_code in (400, 404, 405, 413, 422, 500, 503), answer.status_code
            if answer.status_code == 500:
                found = answer.json()
                plain(found.get("detail") or found.get("error"))
            return f"HTTP {answer.status_code}"
        if not path.startswith("call/"):
            return "HTTP 200"
        stream = self.client.get(f"{self.url}/gradio_api/{path}/{answer.json()['event_id']}").text
        assert time.monotonic() - begun < SECONDS
        event, result = re.findall(r"event: (\w+)\ndata: (.*)", stream)[-1]
        assert event in ("complete", "error"), stream
        if event == "complete":
            return "complete"
        plain(json.loads(result)["error"])
        return "error in plain words"
