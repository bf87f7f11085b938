"""transformers' Trainer with weighted losses, a metric that needs constant memory, and a moving average of the
weights."""

import contextlib
import functools
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import SeedableRandomSampler
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedModel,
    PrinterCallback,
    ProgressCallback,
    SegformerForSemanticSegmentation,
    SegformerImageProcessorPil,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_utils import TrainOutput

from clothseg.labels import ATR, LabelSet
from clothseg.models.decode_head import FoldedDecodeHead
from clothseg.models.loading import OURS
from clothseg.training import transformers_internals
from clothseg.training.average import WeightAverage
from clothseg.training.checkpoints import writing
from clothseg.training.config import TrainArguments
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.network_input import normalise
from clothseg.training.distillation import Teacher
from clothseg.training.evaluation.metrics import ClothesMetric
from clothseg.training.interruption import Interruption, outlive_signals
from clothseg.training.losses import match_labels
from clothseg.training.nan_guard import NanGuard
from clothseg.training.objective import Objective
from clothseg.training.optimizer import exponential_schedule, parameter_groups
from clothseg.training.progress import Bar, Table


def predicted_classes(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return class ids (N, H, W) uint8 at the labels' size, which the metric keeps instead of maps of logits."""
    return match_labels(logits, labels)[0].argmax(dim=1).to(torch.uint8)


class ClothesTrainer(Trainer):
    """Trains a semantic segmentation model on `pixel_values` and `labels` with the options of `TrainArguments`."""

    # The loss below is divided by the whole accumulated batch, so the Trainer must not divide it again.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        network: PreTrainedModel,
        args: TrainingArguments,
        *,
        parsing: TrainArguments,
        class_weights: torch.Tensor,
        teacher: Teacher | None = None,
        labels: LabelSet = ATR,
        **kwargs: Any,
    ) -> None:
        """Set up transformers' Trainer with our own options.

        Args:
            network: model to train.
            args: transformers' options.
            parsing: our own options.
            class_weights: (C,) float32 weights of the cross-entropy.
            teacher: model whose probabilities are learned, if `distillation_weight` is set.
            labels: the C classes.
            kwargs: passed on to transformers' Trainer.

        Raises:
            ConfigError: this release of transformers or accelerate lacks a part that we override.
        """
        transformers_internals.check()
        metric, terms = ClothesMetric(labels), torch.zeros(4, dtype=torch.float64)

        def compute(prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
            # batch_eval_metrics passes what `prediction_step` returns, as tensors, contrary to the type.
            maps, losses = tuple(prediction.predictions)
            labels = torch.as_tensor(prediction.label_ids)
            metric.add_batch(predictions=torch.as_tensor(maps).cpu(), references=labels.cpu())
            terms.add_(torch.as_tensor(losses).double().sum(dim=0).cpu())
            if not compute_result:
                return {}
            loss = Objective.combined(terms)
            terms.zero_()
            return {"loss": loss, **metric.compute()}

        if isinstance(network, SegformerForSemanticSegmentation):
            network.decode_head.__class__ = FoldedDecodeHead  # same parameters and names, a cheaper forward
        if network.config.model_type in OURS and args.ddp_find_unused_parameters is None:
            args.ddp_find_unused_parameters = False  # there are none, and searching for them takes time
        super().__init__(network, args, compute_metrics=compute, **kwargs)
        self.network, self.parsing, self.labels = network, parsing, labels
        self.processor: SegformerImageProcessorPil = kwargs["processing_class"]
        self.objective: Objective = Objective(parsing, class_weights.to(self.args.device), teacher)
        self.nan_guard = NanGuard(kwargs.get("train_dataset"), late=self.args.device.type == "cuda")
        self.add_callback(self.nan_guard)  # first, so that no other callback uses weights that are not finite
        self.average = WeightAverage(parsing.ema_decay) if parsing.ema_decay else None
        if self.average:
            self.add_callback(self.average)
        self.interruption = Interruption()
        self.add_callback(self.interruption)
        # Replaces transformers' callbacks, which print a dictionary of 40 figures at each evaluation.
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        if not self.args.disable_tqdm:
            self.add_callback(Bar())
        self.add_callback(Table())
        if parsing.early_stopping_patience:
            self.add_callback(EarlyStoppingCallback(parsing.early_stopping_patience))

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Convert the uint8 arrays from `ParsingDataset`, on the device, to the inputs of the network and the
        losses."""
        inputs = super()._prepare_inputs(inputs)
        if inputs["pixel_values"].dtype == torch.uint8:
            pixels = normalise(inputs["pixel_values"], self.processor)
            inputs = {**inputs, "pixel_values": pixels, "labels": inputs["labels"].long()}
        return inputs

    # Loss

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> torch.Tensor:
        """Return the divisor of an accumulated batch's loss: `Objective.totals` over all its parts and processes."""
        totals = torch.stack([self.objective.totals(batch["labels"].to(device)) for batch in batch_samples]).sum(dim=0)
        if self.args.world_size > 1:
            totals = self.accelerator.gather(totals.unsqueeze(0)).sum(dim=0)
        return totals

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The objective's loss.

        Args:
            num_items_in_batch: totals of the whole accumulated batch, of which `inputs` may be a part; so 4 parts of
                2 photos give the gradients of one batch of 8.
        """
        outputs = model(pixel_values=inputs["pixel_values"])
        if num_items_in_batch is None:
            num_items_in_batch = self._get_num_items_in_batch([inputs], outputs.logits.device)
        seen = inputs["pixel_values"] if model.training else None
        loss = self.objective(outputs.logits, inputs["labels"], num_items_in_batch, seen)
        self.nan_guard.record(loss, inputs["row"])
        # Gradients are averaged over processes, but the divisor already counts the photos of all of them.
        loss = loss * self.args.world_size
        return (loss, {"logits": outputs.logits}) if return_outputs else loss

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> Any:
        """Return what the Trainer gathers from all processes, without the photos that only fill up the last batch.

        Losses are returned for each photo: the Trainer's mean of batch means would depend on how photos are divided
        into batches and processes.

        Returns:
            No loss; class ids (N, H, W) uint8 with `Objective.of_photos` (N, 4); labels (N, H, W) uint8.
        """
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            logits = model(pixel_values=inputs["pixel_values"]).logits
            terms = self.objective.of_photos(logits, inputs["labels"])
        return None, (predicted_classes(logits, inputs["labels"]), terms), inputs["labels"].to(torch.uint8)

    # Optimizer

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Create the Trainer's optimizer, with learning rates by depth if they are set."""
        options = self.parsing.encoder_lr_scale, self.parsing.layer_lr_decay
        if self.optimizer is not None or options == (1, 1):
            return super().create_optimizer(model)
        network = self.network if model is None else model
        optimizer_class, arguments = self.get_optimizer_cls_and_kwargs(self.args, self.network)
        groups = parameter_groups(
            network,
            self.get_decay_parameter_names(network),
            learning_rate=arguments["lr"],
            weight_decay=self.args.weight_decay,
            encoder_scale=options[0],
            layer_decay=options[1],
        )
        self.optimizer = optimizer_class(groups, **arguments)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """Create `exponential_schedule` with `lr_decay`, or the schedule of `lr_scheduler_type` if `lr_decay` is 0."""
        optimizer, decay = optimizer or self.optimizer, self.parsing.lr_decay
        if decay and optimizer is not None and self.lr_scheduler is None:
            self.lr_scheduler = exponential_schedule(optimizer, decay, self.args.get_warmup_steps(num_training_steps))
            self._created_lr_scheduler = True
        return super().create_scheduler(num_training_steps, optimizer)

    # Checkpoints

    def train(
        self,
        resume_from_checkpoint: str | bool | None = None,
        trial: Any = None,
        ignore_keys_for_eval: list[str] | None = None,
    ) -> TrainOutput:
        """Train like transformers' Trainer; resume the moving average from the same checkpoint, and stop cleanly on
        signals."""
        if self.average and resume_from_checkpoint:
            self.average.checkpoint = str(resume_from_checkpoint)
        with self.interruption.listening():
            return super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """Set the epoch of data set and sampler, and take no step after the last one.

        accelerate 1.15 sets only one of them; which one depends on how many samplers are nested. With several
        processes, each epoch would repeat the augmentation of the first one, and a run resumed within an epoch would
        get other data. In addition, the Trainer takes one step too many when it resumes a checkpoint of the very last
        step.
        """
        if self.state.global_step >= self.state.max_steps:
            return
        for part in (self.train_dataset, transformers_internals.innermost_sampler(kwargs["train_dataloader"])):
            if isinstance(part, ParsingDataset | SeedableRandomSampler):
                part.set_epoch(kwargs["epoch"])
        super()._run_epoch(*args, **kwargs)

    def _get_dataloader(self, *args: Any, **kwargs: Any) -> DataLoader:
        loader: Any = super()._get_dataloader(*args, **kwargs)
        return transformers_internals.initialize_workers(
            loader, lambda initialize: functools.partial(outlive_signals, initialize), self.args.seed
        )

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self.nan_guard.check_pending()
        with writing(Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}"):
            super()._save_checkpoint(model, trial)
            if self.args.world_size > 1:  # each process writes a file with its random state
                self.accelerator.wait_for_everyone()

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        """Write the model and its average, before the checkpoint counts as saved and an older one is deleted.

        The Trainer's training_args.bin is replaced by JSON, since it is a pickle and contains the Hub token.
        """
        folder, token = Path(str(output_dir or self.args.output_dir)), self.args.hub_token
        self.args.hub_token = None
        try:
            super()._save(output_dir, state_dict)
        finally:
            self.args.hub_token = token
        if self.args.should_save:
            (folder / "training_args.bin").unlink(missing_ok=True)
            (folder / "training_args.json").write_text(self.args.to_json_string(), encoding="utf-8")
        if self.average and self.args.should_save:
            self.average.save(folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Load a checkpoint's weights, whose names on disk differ from SegFormer's names in memory.

        The Trainer of transformers 5.24 matches them by name, finds nothing, warns, and continues with the model's
        current weights; `from_pretrained` translates the names.
        """
        stored = type(self.network).from_pretrained(resume_from_checkpoint, dtype=self.network.dtype)
        self.network.load_state_dict(stored.state_dict())

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the averaged weights if there is an average, since they are usually the final model."""
        self.nan_guard.check_pending()
        with self.average.applied(self.network) if self.average else contextlib.nullcontext():
            if self.args.world_size > 1:
                # batch statistics differ between processes; those of the main process are saved
                for buffer in self.network.buffers():
                    torch.distributed.broadcast(buffer, 0)
            return super().evaluation_loop(*args, **kwargs)

    def keep_better(self) -> dict[str, float]:
        """Keep the final weights in the network, or their average if it has the higher mIoU.

        With `load_best_model_at_end` both are those of the best evaluation.

        Returns:
            mIoU of each candidate, the kept one first: `{"averaged": 0.52, "trained": 0.51}`, or only `trained`
                without an average.
        """
        average, self.average = self.average, None
        found = {"trained": self._figures()}
        if average:
            trained = {name: value.clone() for name, value in self.network.state_dict().items()}
            average.load_into(
                self.network, self.state.best_model_checkpoint if self.args.load_best_model_at_end else None
            )
            averaged = self._figures()
            if found["trained"]["mean_iou"] > averaged["mean_iou"]:
                self.network.load_state_dict(trained)
                found["averaged"] = averaged
            else:
                found = {"averaged": averaged, **found}
        figures = next(iter(found.values()))
        if not any("eval_loss" in entry for entry in self.state.log_history):  # --eval_strategy no
            entry = {f"eval_{key}": value for key, value in figures.items()}
            self.state.log_history.append({**entry, "epoch": self.state.epoch, "step": self.state.global_step})
        return {name: candidate["mean_iou"] for name, candidate in found.items()}

    def _figures(self) -> dict[str, float]:
        """Evaluate without logging, since logs and callbacks are finished after the training."""
        metrics = self.evaluation_loop(self.get_eval_dataloader(), "Evaluation").metrics
        self.callback_handler.on_predict(self.args, self.state, self.control, metrics)  # closes the progress bar
        return {key.removeprefix("eval_"): value for key, value in metrics.items()}
