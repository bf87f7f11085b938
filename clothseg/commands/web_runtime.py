"""The files of ONNX Runtime Web: from its npm package, whose digest is pinned here.

Users need neither npm nor Node: the package is one archive, which is downloaded from the registry, checked, and kept
in the cache. tests/node has the same release, so that the tests run what users get.
"""

import base64
import hashlib
import json
import os
import tarfile
import tempfile
from pathlib import Path

from clothseg.errors import ConfigError, HubError
from clothseg.images.disk_cache import cache_folder, cached


VERSION = "1.30.0"

INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Digest of the archive, as npm's lock files have it."""

FILES = (
    "ort.wasm.bundle.min.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.bundle.min.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
"""Files of the package's folder `dist` that the page uses: for WebAssembly alone, and for WebGPU."""

REGISTRY = "https://registry.npmjs.org"


def runtime_files(given: Path | None) -> dict[str, bytes]:
    """Return the content of `FILES`.

    Args:
        given: the package's archive (.tgz), or the folder of an installed package. None downloads the archive, or
            takes what an earlier run has kept.

    Raises:
        ConfigError: `given` is not this release of the package.
        HubError: the registry cannot be reached, or the archive is damaged.
    """
    if given is None:
        entry = cache_folder() / f"onnxruntime-web-{VERSION}"
        return cached(entry, _download, _read, "ONNX Runtime Web")
    if given.is_file():
        if _integrity(given) != INTEGRITY:
            raise ConfigError(f"--runtime {given} is not the archive of onnxruntime-web {VERSION} on npm.")
        return _extract(given)
    found = _version(given / "package.json")
    if found != VERSION:
        raise ConfigError(
            f"--runtime {given} is not onnxruntime-web {VERSION}: give its archive from npm, or the folder that "
            f"`npm install onnxruntime-web@{VERSION}` makes in node_modules."
        )
    return _read(given / "dist")


def _version(path: Path) -> str | None:
    try:
        package = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return package.get("version") if package.get("name") == "onnxruntime-web" else None


def _read(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def _download(folder: Path) -> None:
    """Download the archive and write its `FILES` to a folder."""
    import httpx2

    registry = os.environ.get("NPM_CONFIG_REGISTRY") or os.environ.get("npm_config_registry") or REGISTRY
    address = f"{registry.rstrip('/')}/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
    with tempfile.NamedTemporaryFile(suffix=".tgz") as archive:
        try:
            with httpx2.stream("GET", address, follow_redirects=True, timeout=60) as answer:
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    archive.write(chunk)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise HubError(
                f"onnxruntime-web {VERSION} cannot be downloaded from {registry} ({error}). Without a network, give "
                "its archive from npm with --runtime."
            ) from error
        archive.flush()
        if _integrity(Path(archive.name)) != INTEGRITY:
            raise HubError(f"{address} does not have the expected content: try again later, or use --runtime.")
        for name, content in _extract(Path(archive.name)).items():
            (folder / name).write_bytes(content)


def _integrity(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha512-{base64.b64encode(hashlib.file_digest(file, 'sha512').digest()).decode()}"


def _extract(path: Path) -> dict[str, bytes]:
    content = {}
    with tarfile.open(path) as archive:
        for name in FILES:
            member = archive.extractfile(f"package/dist/{name}")
            if member is None:
                raise ConfigError(f"{path} contains no {name}.")
            content[name] = member.read()
    return content
