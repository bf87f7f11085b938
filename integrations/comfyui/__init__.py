"""clothseg's nodes for ComfyUI, which imports this folder from `custom_nodes`."""

import sys
from importlib.util import find_spec
from pathlib import Path


_CLONE = Path(__file__).resolve().parents[2]
if find_spec("clothseg") is None and (_CLONE / "clothseg" / "__init__.py").is_file():
    sys.path.append(str(_CLONE))  # the folder is a link into a clone of clothseg

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS  # noqa: E402 - it needs clothseg


__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
