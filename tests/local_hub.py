"""A Hugging Face Hub in memory, on localhost, for the real clients to talk to.

It answers the requests that huggingface_hub, transformers and datasets make to push and load models, datasets and
Spaces, with the Hub's own status codes and error headers, so that what is tested is our calls and their payloads.
It builds no Space, knows no organizations, gated repos or pull requests, and takes uploads by LFS, not by Xet.
Here are its server and the addresses that it answers; what it keeps is in hub_store.

HF_ENDPOINT is read when huggingface_hub is imported, so client code runs in a subprocess:

    with LocalHub({"hf_alice": "alice"}) as hub:
        subprocess.run([sys.executable, "push.py"], env=hub.env("hf_alice", home=tmp_path), check=True)
        assert "config.json" in hub.files("model", "alice/clothes")

or in this process after `hub.use_here(monkeypatch, tmp_path, "hf_alice")`, as long as only huggingface_hub asks it.
"""

import asyncio
import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote

import pytest
import uvicorn
from hub_store import Refusal, Repo, content, kept, listing, read_card, upload_mode
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


# Client settings that a developer's machine may carry and that must not reach a test's subprocess.
FOREIGN_SETTINGS = ("HF_", "HUGGING", "TRANSFORMERS_")

# Addresses are matched as they came, percent-encoded: a revision or a folder may hold an encoded slash.
NAME = r"(?P<name>[^/]+(?:/[^/]+)?)"
API = rf"/api/(?P<kind>model|dataset|space)s/{NAME}"
SPACE = rf"/api/(?P<kind>space)s/{NAME}"
WEB = rf"/(?:(?P<kind>dataset|space)s/)?{NAME}"
REV = r"(?P<rev>[^/]+)"
PATH = r"(?P<path>.+)"
ROUTES: list[tuple[re.Pattern[str], bool, Callable[..., Any]]] = []


def route(pattern: str, write: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have a method answer the requests whose "METHOD /path" matches all of `pattern`.

    A pattern that names a repo gives the method that Repo, once the caller is known to be allowed to read or `write`.
    """

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        ROUTES.append((re.compile(pattern), write, handler))
        return handler

    return register


@dataclass
class Call:
    """What a handler needs of a request; `user` is None without a token."""

    user: str | None
    headers: Any
    query: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class LocalHub:
    """The server. `tokens` says whose each token is; `repos` and `requests` are there for tests to look at."""

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
        config = uvicorn.Config(self, lifespan="off", log_level="critical", timeout_graceful_shutdown=2)
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
        """The whole environment for a subprocess that is to use this hub, with its caches under `home`."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_SETTINGS)}
        switches = ("XET", "TELEMETRY", "UPDATE_CHECK", "PROGRESS_BARS")
        ours = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost"}
        ours |= {f"HF_HUB_DISABLE_{switch}": "1" for switch in switches}
        return inherited | ours | ({"HF_TOKEN": token} if token else {})

    def use_here(self, monkeypatch: pytest.MonkeyPatch, home: Path, token: str | None = None) -> None:
        """Have this very process use this hub, with its cache under `home` and little patience."""
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
        """What a repo holds, path -> content, whoever may read it. KeyError if there is no such repo."""
        return {path: file.data for path, file in self.repos[kind, name].at(revision).tree.items()}

    def fail_next(self, pattern: str, fault: int | str = 503, times: int = 1) -> None:
        """Answer wrongly to the next `times` requests in whose "METHOD /path" the regular expression is found.

        `fault` is a status, or "hang" (no answer for a minute), "cut" (half of the body, then the connection is
        closed), "corrupt" (a body of the right length with other bytes) or "slow" (2 kB a second until `behave`).

        The client retries most requests five times after 429 or 5xx, half a minute in all, but not `POST .*/commit/`.
        """
        self.failures.append([re.compile(pattern), fault, times])

    def misbehave(self, fault: int | str, pattern: str = "") -> None:
        """`fail_next` from now on, until `behave`."""
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
            return  # without the rest, so the server closes the connection
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

    def answer(self, line: str, call: Call) -> Any:
        for pattern, write, handler in ROUTES:
            if match := pattern.fullmatch(line):
                parts = {key: value and unquote(value) for key, value in match.groupdict().items()}
                if "name" in parts:
                    parts["repo"] = self.repo(call, parts.pop("kind") or "model", parts.pop("name"), write)
                return handler(self, call, **parts)
        raise Refusal(404, "Sorry, we can't find the page you are looking for.")

    def repo(self, call: Call, kind: str, name: str, write: bool) -> Repo:
        """The repo, if the caller may read it, or write to it; otherwise the Refusal that the Hub would give."""
        repo = self.repos.get((kind, name))
        if repo is None or (repo.private and call.user != repo.owner) or (write and call.user is None):
            # To a caller without a token the Hub says 401 without a code, and the client takes that for "not found",
            # but only from https addresses: the code makes it do so here.
            raise Refusal(404 if call.user else 401, "Repository not found", "RepoNotFound")
        if write and call.user != repo.owner:
            raise Refusal(403, f"You don't have the rights to write to {repo.web_path}")
        return repo

    # Users and repos

    @route("GET /api/whoami-v2")
    def whoami(self, call: Call) -> Any:
        if call.user is None:
            raise Refusal(401, "Invalid username or password.")
        auth = {"type": "access_token", "accessToken": {"displayName": "test", "role": "write"}}
        return {"type": "user", "id": call.user, "name": call.user, "fullname": call.user, "orgs": [], "auth": auth}

    @route("POST /api/repos/create")
    def create_repo(self, call: Call) -> Any:
        wish = call.json()
        kind, owner = wish.get("type") or "model", wish.get("organization") or call.user
        if call.user is None:
            raise Refusal(401, "Invalid username or password.")
        if owner != call.user:
            raise Refusal(403, f'You don\'t have the rights to create a {kind} under the namespace "{owner}"')
        repo = Repo(kind, f"{owner}/{wish['name']}", wish.get("visibility") == "private", wish.get("sdk"))
        answer = {"url": f"{self.url}/{repo.web_path}", "name": repo.name}
        if (kind, repo.name) in self.repos:
            return JSONResponse({"error": f"You already created this {kind} repo", **answer}, 409)
        repo.variables = {item["key"]: kept(item) for item in wish.get("variables", [])}
        repo.secrets = {item["key"]: kept(item) for item in wish.get("secrets", [])}
        self.repos[kind, repo.name] = repo
        return answer

    # Reading

    @route(f"GET {API}/refs")
    def refs(self, call: Call, repo: Repo) -> Any:
        return repo.refs()

    @route(f"GET {API}/tree/{REV}(?:/{PATH})?")
    def tree(self, call: Call, repo: Repo, rev: str, path: str | None) -> Any:
        return repo.below(rev, path, deep=call.query.get("recursive", "").lower() in ("true", "1"))

    @route(f"POST {API}/paths-info/{REV}")
    def paths_info(self, call: Call, repo: Repo, rev: str) -> Any:
        wanted = parse_qs(call.body.decode()).get("paths", [])
        return [entry for entry in listing(repo.at(rev).tree) if entry["path"] in wanted]

    @route(f"(?:GET|HEAD) {WEB}/resolve/{REV}/{PATH}")
    def resolve(self, call: Call, repo: Repo, rev: str, path: str) -> Any:
        commit = repo.at(rev)
        headers = {"X-Repo-Commit": commit.sha}
        file = commit.tree.get(path)
        if file is None:  # the client remembers by X-Repo-Commit that this commit lacks the file
            raise Refusal(404, "Entry not found", "EntryNotFound", headers)
        headers["ETag"] = f'"{file.oid}"'
        if not file.lfs:
            return content(file.data, call.headers.get("Range", ""), headers)
        headers |= {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.data))}
        headers["Location"] = self.storage_url + repo.stored_at(file.sha256)
        return Response(status_code=302, headers=headers)

    # Writing

    @route(f"GET {API}/auth-check/write", write=True)
    def auth_check(self, call: Call, repo: Repo) -> Any:
        return {}

    @route("POST /api/validate-yaml")
    def validate_yaml(self, call: Call) -> Any:
        read_card(call.json()["content"])
        return {"errors": [], "warnings": []}

    @route(f"POST {API}/preupload/{REV}", write=True)
    def preupload(self, call: Call, repo: Repo, rev: str) -> Any:
        tree = repo.at(rev).tree
        return {"files": [upload_mode(tree, **file) for file in call.json()["files"]]}

    @route(rf"POST {WEB}\.git/info/lfs/objects/batch", write=True)
    def lfs_batch(self, call: Call, repo: Repo) -> Any:
        verify = {"href": f"{self.url}/{repo.web_path}.git/info/lfs/objects/verify"}
        objects = call.json()["objects"]
        for wish in objects:
            path = repo.stored_at(wish["oid"])
            if path not in self.storage:  # without actions the client takes it to be there already
                wish["actions"] = {"upload": {"href": self.storage_url + path}, "verify": verify}
        return {"transfer": "basic", "objects": objects}

    @route(r"(?P<method>GET|HEAD|PUT) (?P<path>/lfs/.+/(?P<sha256>\w{64}))")
    def lfs_object(self, call: Call, method: str, path: str, sha256: str) -> Any:
        if "Authorization" in call.headers:  # the real storage, with its signed addresses, refuses a token as well
            raise Refusal(400, "Only one auth mechanism allowed")
        if method == "PUT":
            if hashlib.sha256(call.body).hexdigest() != sha256:
                raise Refusal(400, "The content does not have this SHA-256")
            self.storage[path] = call.body
            return Response()
        if path not in self.storage:
            raise Refusal(404, "No such object")
        return content(self.storage[path], call.headers.get("Range", ""), {"ETag": f'"{sha256}"'})

    @route(rf"POST {WEB}\.git/info/lfs/objects/verify", write=True)
    def lfs_verify(self, call: Call, repo: Repo) -> Any:
        wish = call.json()
        if len(self.storage.get(repo.stored_at(wish["oid"]), b"")) != wish["size"]:
            raise Refusal(422, "The object was not uploaded, or has another size")
        return {}

    @route(f"POST {API}/commit/{REV}", write=True)
    def commit(self, call: Call, repo: Repo, rev: str) -> Any:
        header, *operations = [json.loads(line) for line in call.body.splitlines()]
        sha = repo.push(rev, header["value"], operations, self.storage)
        return {"success": True, "commitOid": sha, "commitUrl": f"{self.url}/{repo.web_path}/commit/{sha}"}

    @route(f"POST {API}/branch/(?P<new>[^/]+)", write=True)
    def create_branch(self, call: Call, repo: Repo, new: str) -> Any:
        repo.create_ref(repo.branches, new, call.json().get("startingPoint", "main"))
        return {}

    @route(f"POST {API}/tag/{REV}", write=True)
    def create_tag(self, call: Call, repo: Repo, rev: str) -> Any:
        repo.create_ref(repo.tags, call.json()["tag"], rev)
        return {}

    # Spaces

    @route(f"(?P<method>GET|POST|DELETE) {SPACE}/(?P<which>variables|secrets)", write=True)
    def settings(self, call: Call, repo: Repo, method: str, which: str) -> Any:
        settings = repo.variables if which == "variables" else repo.secrets
        if method == "POST":
            settings[call.json()["key"]] = kept(call.json())
        if method == "DELETE":
            settings.pop(call.json()["key"], None)
        hidden = "value" if which == "secrets" else None  # a secret's value never comes back
        return {key: {k: v for k, v in item.items() if k != hidden} for key, item in settings.items()}

    @route(f"GET {SPACE}/runtime")
    def runtime(self, call: Call, repo: Repo) -> Any:
        stage = "RUNNING" if "app.py" in repo.at("main").tree else "NO_APP_FILE"
        return {"stage": stage, "hardware": {"current": "cpu-basic", "requested": repo.hardware}, "gcTimeout": 172800}

    @route(f"POST {SPACE}/hardware", write=True)
    def request_hardware(self, call: Call, repo: Repo) -> Any:
        repo.hardware = call.json()["flavor"]
        return self.runtime(call, repo)

    @route(f"PUT {API}/settings", write=True)
    def repo_settings(self, call: Call, repo: Repo) -> Any:
        repo.private = call.json()["visibility"] == "private"
        return {}

    # The last route, because what it takes for a name fits longer addresses too.
    @route(f"GET {API}(?:/revision/{REV})?")
    def info(self, call: Call, repo: Repo, rev: str | None) -> Any:
        return repo.info(rev or "main", blobs=call.query.get("blobs", "").lower() in ("true", "1"))
