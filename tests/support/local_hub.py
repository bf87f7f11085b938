"""A Hugging Face Hub in memory, on localhost, for the real clients.

It answers the requests that huggingface_hub, transformers and datasets make to push and load models, datasets and
Spaces, with the Hub's own status codes and error headers, so that what is tested is our calls and their payloads.
It builds no Space, knows no organizations, gated repos or pull requests, and takes uploads by LFS, not by Xet.
Here is its server; what it answers is in hub_answers, what it keeps in hub_store.

HF_ENDPOINT is read when huggingface_hub is imported, so client code runs in a subprocess:

    with LocalHub({"hf_alice": "alice"}) as hub:
        subprocess.run([sys.executable, "push.py"], env=hub.env("hf_alice", home=tmp_path), check=True)
        assert "config.json" in hub.files("model", "alice/clothes")

or in this process after `hub.use_here(monkeypatch, tmp_path, "hf_alice")`, as long as only huggingface_hub asks it.
"""

import asyncio
import os
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

import pytest
import uvicorn
from hub_answers import Answers, Call
from hub_store import Refusal, Repo
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


# Client settings that a developer's machine may have and that must not reach a test's subprocess.
FOREIGN_SETTINGS = ("HF_", "HUGGING", "TRANSFORMERS_")


class LocalHub(Answers):
    """The server. `tokens` maps each token to its user; tests may read `repos` and `requests`."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self.tokens = tokens
        self.repos: dict[tuple[str, str], Repo] = {}  # (kind, "owner/name") -> repo
        self.requests: list[str] = []  # every "METHOD /path" asked, in order
        self.storage: dict[str, bytes] = {}  # path under storage_url -> uploaded LFS file, committed or not yet
        self.failures: list[list[Any]] = []  # [pattern, fault, times left]

    def start(self) -> Self:
        """Serve on a free port of 127.0.0.1, from a thread of this process. A hub starts once."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)  # from here on clients can connect, and wait until the thread picks them up
        port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        # The Hub keeps large files on another host, where no token is sent: here the same one by its other name.
        self.storage_url = f"http://localhost:{port}"
        config = uvicorn.Config(self, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([listener],), daemon=True)
        self.thread.start()
        return self

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()

    def env(self, token: str | None = None, *, home: str | Path) -> dict[str, str]:
        """Environment for a subprocess that uses this hub, with its caches under `home`."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_SETTINGS)}
        switches = ("XET", "TELEMETRY", "UPDATE_CHECK", "PROGRESS_BARS")
        ours = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost"}
        ours |= {f"HF_HUB_DISABLE_{switch}": "1" for switch in switches}
        return inherited | ours | ({"HF_TOKEN": token} if token else {})

    def use_here(self, monkeypatch: pytest.MonkeyPatch, home: Path, token: str | None = None) -> None:
        """Make this process use this hub, with its cache under `home` and short timeouts."""
        sleep = time.sleep
        monkeypatch.setattr("time.sleep", lambda seconds: sleep(min(seconds, 0.01)))
        settings = {
            "ENDPOINT": self.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(home / "cache"),
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_ETAG_TIMEOUT": 0.5,
            "HF_HUB_DOWNLOAD_TIMEOUT": 0.5,
        }
        for name, value in settings.items():
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
        monkeypatch.setenv("HF_TOKEN", token or "")

    def files(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        """Files of a repo, path -> content, regardless of permissions. KeyError if there is no such repo."""
        return {path: file.data for path, file in self.repos[kind, name].at(revision).tree.items()}

    def fail_next(self, pattern: str, fault: int | str = 503, times: int = 1) -> None:
        """Let the next `times` requests fail in whose "METHOD /path" the regular expression is found.

        `fault` is a status, or "hang" (no answer for a minute), "cut" (half of the body, then the connection is
        closed), "corrupt" (a body of the right length with other bytes) or "slow" (2 kB a second until `behave`).

        The client retries most requests five times after 429 or 5xx, half a minute in all, but not `POST .*/commit/`.
        """
        self.failures.append([re.compile(pattern), fault, times])

    def misbehave(self, fault: int | str, pattern: str = "") -> None:
        """Like `fail_next`, for all requests until `behave`."""
        self.fail_next(pattern, fault, times=sys.maxsize)

    def behave(self) -> None:
        self.failures.clear()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        line = f"{request.method} {scope['raw_path'].decode()}"
        self.requests.append(line)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        call = Call(self.tokens.get(token), request.headers, request.query_params, await request.body())
        fault = self.fault(line)
        if fault == "hang":
            await asyncio.sleep(60)
        try:
            if isinstance(fault, int):
                raise Refusal(fault, "Failing as the test asked")
            if token and call.user is None:
                raise Refusal(401, "Invalid credentials in Authorization header")
            answer = self.answer(line, call)
        except Refusal as refusal:
            answer = refusal.response
        response = answer if isinstance(answer, Response) else JSONResponse(answer)
        if fault == "corrupt":
            response.body = bytes(255 - byte for byte in response.body)
        if fault == "cut":
            start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
            half = response.body[: len(response.body) // 2]
            await send(start)
            await send({"type": "http.response.body", "body": half, "more_body": True})
            return  # the body is incomplete, so the server closes the connection
        if fault == "slow":
            await send(
                {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
            )
            left = response.body
            while self.fault(line) == "slow":
                await send({"type": "http.response.body", "body": left[:200], "more_body": True})
                left = left[200:]
                await asyncio.sleep(0.1)
            await send({"type": "http.response.body", "body": left})
            return
        await response(scope, receive, send)

    def fault(self, line: str) -> int | str | None:
        for failure in self.failures:
            if failure[2] and failure[0].search(line):
                failure[2] -= 1
                return failure[1]
        return None
