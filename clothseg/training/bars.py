"""Progress bars of a training; `--disable_tqdm` hides ours and those of the libraries."""

from typing import Any

import datasets
import huggingface_hub.utils
from tqdm.auto import tqdm
from transformers.utils.logging import disable_progress_bar


_hidden = False


def hide_bars(hidden: bool) -> None:
    """Hide the bars of `progress_bar`, datasets, transformers and the Hub's client, or show ours again."""
    global _hidden
    _hidden = hidden
    if hidden:
        datasets.disable_progress_bars()
        disable_progress_bar()
        huggingface_hub.utils.disable_progress_bars()


def progress_bar(*args: Any, **kwargs: Any) -> tqdm:
    """Return a tqdm bar, which shows nothing if bars are hidden."""
    return tqdm(*args, disable=_hidden, **kwargs)
