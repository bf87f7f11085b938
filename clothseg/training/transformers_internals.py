"""Every private part of transformers and accelerate that training uses, each with its reason.

`check` runs before each training. If a release has changed one of these parts, the training ends with a message that
names it, instead of silently running without our code.
"""

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator
from importlib.metadata import version
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Sampler
from transformers import PreTrainedModel

from clothseg.errors import ConfigError


TESTED = {"transformers": "5.24.0", "accelerate": "1.15.0"}
"""The tested releases, pinned in requirements-train.txt."""


class Internal(NamedTuple):
    """A private part of a library's class, and why we need it.

    Attributes:
        owner: module and class, such as `transformers.trainer.Trainer`.
        name: name of the attribute.
        reason: what we do with it.
        parameters: parameters of a method that we pass or read by name.
        called: whether the class's own methods must use the name; an override would otherwise never run.
        of_instance: whether a method creates it, so that the class itself lacks it.
    """

    owner: str
    name: str
    reason: str
    parameters: tuple[str, ...] = ()
    called: bool = True
    of_instance: bool = False


TRAINER, LOADER = "transformers.trainer.Trainer", "accelerate.data_loader.DataLoaderShard"

INTERNALS = (
    Internal(TRAINER, "_prepare_inputs", "normalises the pixels on the device, where it is cheap", ("inputs",)),
    Internal(
        TRAINER,
        "_get_num_items_in_batch",
        "computes the divisor of an accumulated batch: the Trainer ignores neither 255 nor applies class weights",
        ("batch_samples", "device"),
    ),
    Internal(
        TRAINER,
        "_run_epoch",
        "tells data set and sampler the epoch, and takes no step after the last one when a finished run is resumed",
        ("train_dataloader", "epoch"),
    ),
    Internal(TRAINER, "_get_dataloader", "lets the loader's processes outlive SIGTERM"),
    Internal(
        TRAINER, "_save_checkpoint", "removes a checkpoint that could not be written completely", ("model", "trial")
    ),
    Internal(TRAINER, "_save", "saves the average, and no pickle of the arguments", ("output_dir", "state_dict")),
    Internal(
        TRAINER,
        "_load_from_checkpoint",
        "loads a checkpoint by from_pretrained, which translates its names on disk",
        ("resume_from_checkpoint", "model"),
    ),
    Internal(TRAINER, "_load_best_model", "loads the best checkpoint in the same way"),
    Internal(TRAINER, "_get_output_dir", "names the folder that a checkpoint is written to", ("trial",)),
    Internal(
        TRAINER,
        "_created_lr_scheduler",
        "marks the schedule as ours, so that it is built only once",
        of_instance=True,
    ),
    Internal(
        "transformers.training_args.TrainingArguments",
        "_n_gpu",
        "keeps the training on one GPU, since torch's DataParallel would multiply the batch",
        of_instance=True,
    ),
    Internal(LOADER, "base_dataloader", "is where loader processes are started", of_instance=True),
    Internal(
        "accelerate.data_loader.SeedableRandomSampler",
        "set_epoch",
        "gives each epoch its own order",
        ("epoch",),
        called=False,
    ),
    Internal(
        "transformers.modeling_utils.PreTrainedModel",
        "save_pretrained",
        "saves under the names of `_weight_conversions`, or of the architecture where that is None",
        ("save_original_format",),
        called=False,
    ),
)


def check() -> None:
    """Check that transformers and accelerate still have the parts in `INTERNALS`.

    Raises:
        ConfigError: names the first part that is missing or has changed, its reason and the tested release.
    """
    for internal in INTERNALS:
        fault = _fault(internal)
        if fault is not None:
            package, name = internal.owner.partition(".")[0], internal.owner.rpartition(".")[2]
            raise ConfigError(
                f"clothseg was tested with {package} {TESTED[package]}; in {version(package)} {name}."
                f"{internal.name} {fault} (it {internal.reason}): pip install {package}=={TESTED[package]}."
            )


def _fault(internal: Internal) -> str | None:
    module, _, name = internal.owner.rpartition(".")
    owner = getattr(importlib.import_module(module), name, None)
    if owner is None:
        return "is gone"
    uses = {used for cls in owner.__mro__ for method in vars(cls).values() for used in _names(method)}
    member = getattr(owner, internal.name, None)
    if member is None and not internal.of_instance:
        return "is gone"
    if internal.called and internal.name not in uses:
        return f"is no longer used by {name}"
    if internal.parameters:
        code = getattr(member, "__wrapped__", member).__code__  # type: ignore[union-attr]
        known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        absent = [parameter for parameter in internal.parameters if parameter not in known]
        if absent:
            return f"no longer takes {', '.join(absent)}"
    return None


def _names(method: object) -> Iterator[str]:
    """Return the names of the attributes that a function or property uses, including functions within it."""
    function = getattr(method, "fget", None) or getattr(method, "func", method)  # of a property
    codes = [function.__code__] if isinstance(function, FunctionType) else []
    while codes:
        code = codes.pop()
        yield from code.co_names
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


# SegFormer's names


def use_published_names(model: PreTrainedModel) -> None:
    """Make `save_pretrained` write the tensor names that all transformers releases know.

    transformers 5.9 renamed SegFormer's modules in memory. It writes the old names back, but only those that it met
    when the model was loaded. A decode head that the file lacked, as in nvidia/mit-b2, would be saved as
    `decode_head.linear_projections`, which older releases do not know and replace by random numbers. For a model that
    was not loaded at all it uses the architecture's whole list of names; it also does so if this attribute is None.
    """
    model._weight_conversions = None  # type: ignore[assignment]


# Messages


@contextlib.contextmanager
def without_load_report() -> Iterator[None]:
    """Load a model without transformers' table of missing tensors, which our own message replaces."""
    # Not by the log level: at the level of errors, transformers would check a plan for several GPUs and warn that
    # there is none.
    logger = logging.getLogger("transformers.modeling_utils")

    def drop_report(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    logger.addFilter(drop_report)
    try:
        yield
    finally:
        logger.removeFilter(drop_report)


# accelerate's loaders


def innermost_sampler(loader: Any) -> Sampler:
    """Return the sampler that decides the order of the rows, below the batch samplers that accelerate wraps around
    it."""
    sampler = loader.batch_sampler
    while hasattr(sampler, "batch_sampler"):
        sampler = sampler.batch_sampler
    return sampler.sampler


def initialize_workers(loader: Any, initialize: Callable[[Any], Callable[[int], None]], seed: int) -> DataLoader:
    """Set what a loader's processes run first; accelerate's own loader accepts the attribute but ignores it.

    Args:
        loader: created by accelerate.
        initialize: receives the current function, or None, and returns the new one.
        seed: seed of the loader's random numbers for its processes. By default they come from torch's global
            generator, which dropout also uses, so persistent processes would change dropout.

    Returns:
        `loader`.
    """
    inner = loader.base_dataloader
    inner.worker_init_fn = initialize(inner.worker_init_fn)
    inner.generator = torch.Generator().manual_seed(seed)
    return loader
