"""In-memory storage of the test hub: repos with their commits, branches, tags and file versions.

It describes them in the Hub's terms; unsupported operations raise a Refusal, which contains the Hub's answer.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Any

import yaml
from starlette.responses import JSONResponse, Response


REGULAR_LIMIT = 10 * 2**20  # the Hub keeps larger files out of git whatever is in them
LFS_PATTERNS = "*.arrow *.bin *.ckpt *.h5 *.npz *.onnx *.parquet *.pkl *.pt *.pth *.safetensors *.tar *.zip".split()
GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS).encode()


class Refusal(Exception):
    """An error answer of the Hub: status, message and the code that decides the client's exception."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(message)
        codes = {"X-Error-Code": code} if code else {}
        body = {"error": message, "errors": [{"message": message}], "warnings": []}  # the latter two: validate-yaml
        self.response = JSONResponse(body, status, {"X-Error-Message": message, **codes, **(headers or {})})


class File:
    """One version of a file. An `lfs` file lives in git as a pointer, which is then what `oid` names."""

    def __init__(self, data: bytes, lfs: bool = False) -> None:
        self.data, self.lfs, self.sha256 = data, lfs, hashlib.sha256(data).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(data)}\n".encode()
        blob = pointer if lfs else data
        self.oid = hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()
        self.info = {"type": "file", "oid": self.oid, "size": len(data)}  # as /tree and /paths-info list it
        self.blob = {"blobId": self.oid, "size": len(data)}  # as /api/models/NAME?blobs=true does
        if lfs:
            self.info["lfs"] = {"oid": self.sha256, "size": len(data), "pointerSize": len(pointer)}
            self.blob["lfs"] = {"sha256": self.sha256, "size": len(data), "pointerSize": len(pointer)}


Tree = dict[str, File]  # path -> file, the whole of one commit


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: Tree
    date: str


@dataclass
class Repo:
    kind: str  # "model" | "dataset" | "space"
    name: str  # "owner/name"
    private: bool
    sdk: str | None
    commits: dict[str, Commit] = field(default_factory=dict)  # sha -> commit, oldest first
    branches: dict[str, str] = field(default_factory=dict)  # name -> sha
    tags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)  # a Space's, with their "value"
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    hardware: str = "cpu-basic"  # that a Space asked for

    def __post_init__(self) -> None:
        self.commit("main", {".gitattributes": File(GITATTRIBUTES)}, "initial commit")

    @property
    def owner(self) -> str:
        return self.name.split("/")[0]

    @property
    def web_path(self) -> str:
        return self.name if self.kind == "model" else f"{self.kind}s/{self.name}"

    def commit(self, branch: str, tree: Tree, title: str) -> str:
        """Make `tree` the new state of `branch`, and return the commit's sha."""
        seed = f"{self.kind} {self.name} {branch} {len(self.commits)} {title}"
        sha = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[sha] = Commit(sha, tree, now())
        self.branches[branch] = sha
        return sha

    def at(self, rev: str) -> Commit:
        """The commit that a branch, tag or full sha names; Refusal(404) if none."""
        sha = self.branches.get(rev) or self.tags.get(rev) or rev
        if sha not in self.commits:
            raise Refusal(404, f"Invalid rev id: {rev}", "RevisionNotFound")
        return self.commits[sha]

    def stored_at(self, sha256: str) -> str:
        """Where an LFS file is stored. Each repo has its own, so that every repo's first upload really uploads."""
        return f"/lfs/{self.kind}/{self.name}/{sha256}"

    def push(self, branch: str, header: dict[str, str], operations: list[Any], storage: dict[str, bytes]) -> str:
        """Commit to `branch` what a client sent, finding LFS files in `storage`, and return the commit's sha."""
        if branch not in self.branches:
            raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        if header.get("parentCommit", self.branches[branch]) != self.branches[branch]:
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(self.at(branch).tree)
        for operation in operations:
            self.change(tree, storage, operation["key"], **operation["value"])
        read_card(text(tree, "README.md"))
        return self.commit(branch, tree, header["summary"])

    def change(
        self, tree: Tree, storage: dict[str, bytes], key: str, path: str, content: str = "", oid: str = "", **_: Any
    ) -> None:
        """Apply one line of a commit to `tree`."""
        if key == "file":
            tree[path] = File(base64.b64decode(content))
        elif key == "lfsFile":
            if self.stored_at(oid) not in storage:
                raise Refusal(400, f"LFS object {oid} was not uploaded")
            tree[path] = File(storage[self.stored_at(oid)], lfs=True)
        else:  # deletedFile or deletedFolder
            gone = [entry for entry in tree if entry == path or entry.startswith(path.rstrip("/") + "/")]
            if not gone:
                raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
            for entry in gone:
                del tree[entry]

    def create_ref(self, refs: dict[str, str], new: str, rev: str) -> None:
        """Create `new` in this repo's branches or tags, for the commit that `rev` names."""
        if new in refs:
            raise Refusal(409, f"Reference already exists: {new}")
        refs[new] = self.at(rev).sha

    def refs(self) -> dict[str, Any]:
        branches = [{"name": k, "ref": f"refs/heads/{k}", "targetCommit": v} for k, v in self.branches.items()]
        tags = [{"name": k, "ref": f"refs/tags/{k}", "targetCommit": v} for k, v in self.tags.items()]
        return {"branches": branches, "tags": tags, "converts": [], "pullRequests": []}

    def below(self, rev: str, path: str | None, deep: bool) -> list[dict[str, Any]]:
        """The files and folders in the folder `path`, and if `deep` in its folders too; Refusal(404) if none."""
        folder = f"{path}/" if path else ""
        below = [entry for entry in listing(self.at(rev).tree) if entry["path"].startswith(folder)]
        if folder and not below:
            raise Refusal(404, f'"{path}" does not exist on "{rev}"', "EntryNotFound")
        return [entry for entry in below if deep or "/" not in entry["path"].removeprefix(folder)]

    def info(self, rev: str, blobs: bool = False) -> dict[str, Any]:
        """The repo's description in /api; with `blobs`, including the sizes and checksums of its files."""
        commit = self.at(rev)
        card = read_card(text(commit.tree, "README.md"))
        answer = {"id": self.name, "author": self.owner, "sha": commit.sha, "private": self.private, "gated": False}
        answer |= {"cardData": card, "tags": card.get("tags") or [], "lastModified": commit.date, "sdk": self.sdk}
        answer |= {key: card[key] for key in ("pipeline_tag", "library_name") if key in card}
        files = [{"rfilename": path, **(file.blob if blobs else {})} for path, file in commit.tree.items()]
        return {**answer, "siblings": files}


def now() -> str:
    """The time as the Hub writes it: 2026-01-31T12:00:00.000Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text(tree: Tree, path: str) -> str:
    return tree[path].data.decode() if path in tree else ""


def listing(tree: Tree) -> list[dict[str, Any]]:
    """The files and folders of a tree, sorted by path, as /tree and /paths-info give them."""
    folders = {"/".join(path.split("/")[:depth]) for path in tree for depth in range(1, path.count("/") + 1)}
    entries = [
        {"type": "directory", "oid": hashlib.sha1(p.encode()).hexdigest(), "size": 0, "path": p} for p in folders
    ]
    entries += [{**file.info, "path": path} for path, file in tree.items()]
    return sorted(entries, key=lambda entry: entry["path"])


def upload_mode(tree: Tree, path: str, sample: str, size: int, **_: Any) -> dict[str, Any]:
    """How the Hub wants a file to be uploaded, given its first bytes, `sample`."""
    patterns = [line.split()[0] for line in text(tree, ".gitattributes").splitlines() if "filter=lfs" in line]
    binary = b"\0" in base64.b64decode(sample) or any(fnmatch(path, pattern) for pattern in patterns)
    mode = "lfs" if binary or size > REGULAR_LIMIT else "regular"
    there = tree.get(path)
    oid = there and (there.sha256 if there.lfs else there.oid)  # shows the client which files have not changed
    return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}


def content(data: bytes, wanted_range: str, headers: dict[str, str]) -> Response:
    """`data`, or the part given by a Range header. For HEAD, the server omits the body."""
    headers = {**headers, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted_range)
    if wanted is None or not any(wanted.groups()):
        return Response(data, headers=headers)
    first, last = wanted.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last), len(data) - 1) if first and last else len(data) - 1
    if start > end:
        raise Refusal(416, "Requested range not satisfiable", None, {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    return Response(data[start : end + 1], 206, headers)


def read_card(readme: str) -> dict[str, Any]:
    """The YAML between a README's first two --- lines, {} if there is none; Refusal(400) if it is broken."""
    block = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---", readme, re.DOTALL)
    try:
        card = (yaml.safe_load(block[1]) if block else None) or {}
    except yaml.YAMLError as error:
        raise Refusal(400, f"README.md's metadata is not YAML: {type(error).__name__}") from error
    if not isinstance(card, dict):
        raise Refusal(400, "README.md's metadata is not a mapping")
    return card


def kept(wish: dict[str, str]) -> dict[str, str]:
    """A Space's variable or secret {key, value, description?} as the Space keeps it."""
    return {**wish, "updatedAt": now()}
