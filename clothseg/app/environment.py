"""Read the app's environment variables; `app.py` describes them."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from clothseg.errors import ConfigError
from clothseg.images.image_file import pixel_limit


MAX_MEGABYTES = 4096
"""Default of CLOTHSEG_MAX_TEMP_MB, for uploads and results together: enough for an hour with a photo every second."""

GRADIO_DEFAULTS = {
    "GRADIO_ANALYTICS_ENABLED": "0",
    # Gradio would convert its statistics of up to 10,000 calls to a table after each call; they are not shown here.
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9),
}
"""Variables for Gradio's import, unless the operator sets others."""


class ServerSettings(NamedTuple):
    """The app's settings in the environment.

    Attributes:
        model: Hub name or folder; None for the embedded model.
        revision: branch, tag or commit of a Hub name.
        engine: as in `Segmenter.from_pretrained`, which checks it.
        precision: as there.
        self_check: whether to compare the engine with PyTorch before serving.
        compare: other models that the page offers.
        temp_bytes: what uploads and results may take together.
        temp_folder: folder for them; None for the default.
        host: address to listen at.
        port: and its port; None for the first free one from 7860 on.
        space: the Space's name; None on any other machine.
        zero_gpu: whether this is a Space with ZeroGPU, which also has the package `spaces`.
    """

    model: str | None
    revision: str | None
    engine: str
    precision: str
    self_check: bool
    compare: tuple[str, ...]
    temp_bytes: int
    temp_folder: str | None
    host: str
    port: int | None
    space: str | None
    zero_gpu: bool

    @property
    def private(self) -> bool:
        """Whether the app is reachable only from this machine."""
        return not self.space and self.host in ("127.0.0.1", "localhost", "::1")


def read_environment(environment: Mapping[str, str] = os.environ) -> ServerSettings:
    """Read and check the variables; an empty one counts as not set.

    Raises:
        ConfigError: a limit or the port is not a number, or out of range.
    """

    def get(name: str) -> str | None:
        return environment.get(name) or None

    pixel_limit()  # so that an invalid setting fails now, not at the first photo
    space = get("SPACE_ID")
    compared = (name.strip() for name in (get("CLOTHSEG_COMPARE") or "").split(","))
    return ServerSettings(
        model=get("CLOTHSEG_MODEL"),
        revision=get("CLOTHSEG_REVISION"),
        engine=get("CLOTHSEG_ENGINE") or "auto",
        precision=get("CLOTHSEG_PRECISION") or "exact",
        self_check=_is_true(get("CLOTHSEG_SELF_CHECK")),
        compare=tuple(filter(None, compared)),
        temp_bytes=_megabytes(get("CLOTHSEG_MAX_TEMP_MB")) * 2**20,
        temp_folder=get("GRADIO_TEMP_DIR"),
        # A Space's container must be reachable from outside; elsewhere the app is private by default.
        host=get("GRADIO_SERVER_NAME") or ("0.0.0.0" if space else "127.0.0.1"),  # noqa: S104
        port=read_port(environment),
        space=space,
        zero_gpu=_is_true(get("SPACES_ZERO_GPU")) and find_spec("spaces") is not None,
    )


def read_port(environment: Mapping[str, str] = os.environ) -> int | None:
    """Return GRADIO_SERVER_PORT, or None if it is not set.

    Raises:
        ConfigError: it is not the number of a port.
    """
    value = environment.get("GRADIO_SERVER_PORT")
    if not value:
        return None
    if not value.isdecimal() or not 1 <= int(value) <= 65535:
        raise ConfigError(f"GRADIO_SERVER_PORT is {value}; give a number from 1 to 65535.")
    return int(value)


def _megabytes(value: str | None) -> int:
    if value is None:
        return MAX_MEGABYTES
    if not value.isdecimal() or not 1 <= int(value) <= 10**9:
        raise ConfigError(f"CLOTHSEG_MAX_TEMP_MB is {value}; give a whole number of megabytes, without commas.")
    return int(value)


def _is_true(value: str | None) -> bool:
    return (value or "").lower() in ("1", "t", "true", "yes")
