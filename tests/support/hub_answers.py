"""Answers of the in-memory Hub: its routes, each with a method.

The answers are the Hub's own, with its status codes and error headers; `local_hub` serves them, `hub_store` keeps what
is pushed.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from hub_store import Refusal, Repo, content, kept, listing, read_card, upload_mode
from starlette.responses import JSONResponse, Response


# Addresses are matched as they came, percent-encoded: a revision or a folder may hold an encoded slash.
NAME = r"(?P<name>[^/]+(?:/[^/]+)?)"
API = rf"/api/(?P<kind>model|dataset|space)s/{NAME}"
SPACE = rf"/api/(?P<kind>space)s/{NAME}"
WEB = rf"/(?:(?P<kind>dataset|space)s/)?{NAME}"
REV = r"(?P<rev>[^/]+)"
PATH = r"(?P<path>.+)"
ROUTES: list[tuple[re.Pattern[str], bool, Callable[..., Any]]] = []


def route(pattern: str, write: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a method for the requests whose "METHOD /path" fully matches `pattern`.

    A pattern that names a repo gives the method that Repo, once the caller is known to be allowed to read or `write`.
    """

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        ROUTES.append((re.compile(pattern), write, handler))
        return handler

    return register


@dataclass
class Call:
    """The parts of a request that handlers need; `user` is None without a token."""

    user: str | None
    headers: Any
    query: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Answers:
    """One method for each kind of request, found by `answer`."""

    url: str
    storage_url: str
    repos: dict[tuple[str, str], Repo]
    storage: dict[str, bytes]

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
            if path not in self.storage:  # without actions, the client assumes that it is uploaded already
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
        hidden = "value" if which == "secrets" else None  # the Hub never returns a secret's value
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

    # The last route, because its pattern for names also matches longer addresses.
    @route(f"GET {API}(?:/revision/{REV})?")
    def info(self, call: Call, repo: Repo, rev: str | None) -> Any:
        return repo.info(rev or "main", blobs=call.query.get("blobs", "").lower() in ("true", "1"))
