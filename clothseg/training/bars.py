"""Progress bars of a training: ours, and those of the libraries below, are hidden by `--disable_tqdm` together."""

from typing import Any

import datasets
import huggingface_hub.utils
from tqdm.auto import tqdm
from transformers.utils.logging import disable_progress_bar


_hidden = False


def hide_bars(hidden: bool) -> None:
    """Have `progress_bar` show nothing, and neither datasets, transformers nor the Hub's client; or ours again."""
    global _hidden
    _hidden = hidden
    if hidden:
        datasets.disable_progress_bars()
        disable_progress_bar()
        huggingface_hub.utils.disable_progress_bars()


def progress_bar(*args: Any, **kwargs: Any) -> tqdm:
    """tqdm, which shows nothing where bars are hidden."""
    return tqdm(*args, disable=_hidden, **kwargs)
