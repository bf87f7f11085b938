"""transformers' Trainer with a weighted loss, a metric of flat memory, and a moving average of the weights."""

import contextlib
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from transformers import EvalPrediction, PreTrainedModel, Trainer, TrainingArguments
from transformers.trainer_utils import TrainOutput

from clothseg.training.average import WeightAverage
from clothseg.training.config import ParsingArguments
from clothseg.training.distillation import Teacher, soft_cross_entropy
from clothseg.training.losses import lovasz_softmax, match_labels, soft_dice, weight_sum, weighted_cross_entropy
from clothseg.training.metrics import ClothesMetric
from clothseg.training.optimizer import parameter_groups


def predicted_classes(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Class ids (N, H, W) uint8 at the labels' size: what the metric keeps instead of 18 maps of logits."""
    return match_labels(logits, labels)[0].argmax(dim=1).to(torch.uint8)


class ClothesTrainer(Trainer):
    """Trains a semantic segmentation model on `pixel_values` and `labels` as `ParsingArguments` say."""

    # The loss below is divided by the whole accumulated batch, so the Trainer must not divide it again.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        network: PreTrainedModel,
        args: TrainingArguments,
        *,
        parsing: ParsingArguments,
        class_weights: torch.Tensor,
        teacher: Teacher | None = None,
        **kwargs: Any,
    ) -> None:
        """As transformers' Trainer, plus our own options.

        Args:
            class_weights: (18,) float32, the cross-entropy's.
            teacher: whose probabilities to learn from, if `distillation_weight` is set.
        """
        metric = ClothesMetric()

        def count(prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
            # batch_eval_metrics hands over tensors, whatever the type says
            maps = [torch.as_tensor(part).cpu() for part in (prediction.predictions, prediction.label_ids)]
            metric.add_batch(predictions=maps[0], references=maps[1])
            return metric.compute() if compute_result else {}

        super().__init__(
            network, args, compute_metrics=count, preprocess_logits_for_metrics=predicted_classes, **kwargs
        )
        self.network, self.parsing = network, parsing
        self.class_weights = class_weights.to(self.args.device)
        self.teacher = teacher
        self.average = WeightAverage(parsing.ema_decay) if parsing.ema_decay else None
        if self.average:
            self.add_callback(self.average)

    # Loss

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> torch.Tensor:
        """What the loss of an accumulated batch is divided by: [sum of class weights, number of photos].

        The Trainer counts labels other than -100 here, which is wrong for us twice over: 255 is ignored, and a
        weighted mean is divided by weights, not by pixels.
        """
        stride = self.parsing.loss_stride
        weights, photos = torch.zeros((), device=device), 0
        for batch in batch_samples:
            labels = batch["labels"].to(device)
            weights = weights + weight_sum(labels[:, ::stride, ::stride], self.class_weights)
            photos += len(labels)
        counts = torch.stack([weights, torch.tensor(float(photos), device=device)])
        if self.args.world_size > 1:
            counts = self.accelerator.gather(counts.unsqueeze(0)).sum(dim=0)
        return counts

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Weighted cross-entropy at the labels' size, 255 ignored, plus the terms by photo that are asked for.

        Args:
            num_items_in_batch: [sum of class weights, number of photos] of the whole accumulated batch, of which
                `inputs` may be a part; so 4 parts of 2 photos give the gradients of one batch of 8.
        """
        outputs = model(pixel_values=inputs["pixel_values"])
        logits, labels = match_labels(outputs.logits, inputs["labels"], self.parsing.loss_stride)
        if num_items_in_batch is None:
            num_items_in_batch = self._get_num_items_in_batch([inputs], logits.device)
        loss = weighted_cross_entropy(
            logits, labels, self.class_weights, num_items_in_batch[0], self.parsing.focal_gamma
        )
        by_photo = torch.zeros(len(labels), device=logits.device)
        if self.parsing.dice_weight:
            by_photo = by_photo + self.parsing.dice_weight * soft_dice(logits, labels)
        if self.parsing.lovasz_weight:
            by_photo = by_photo + self.parsing.lovasz_weight * lovasz_softmax(logits, labels)
        if self.teacher and model.training:
            taught = soft_cross_entropy(
                outputs.logits, self.teacher(inputs["pixel_values"]), self.parsing.distillation_temperature
            )
            by_photo = by_photo + self.parsing.distillation_weight * taught
        loss = loss + by_photo.sum() / num_items_in_batch[1]
        # Gradients are averaged over processes, but the divisor already counts the photos of all of them.
        loss = loss * self.args.world_size
        return (loss, {"logits": outputs.logits}) if return_outputs else loss

    # Optimizer

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """The Trainer's optimizer, with learning rates by depth where they are asked for."""
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
        """`lr_decay` to the power of the step, or with `lr_decay` 0 what `lr_scheduler_type` says."""
        optimizer, decay = optimizer or self.optimizer, self.parsing.lr_decay
        if decay and optimizer is not None and self.lr_scheduler is None:
            self.lr_scheduler = LambdaLR(optimizer, lambda step: decay**step)
            self._created_lr_scheduler = True
        return super().create_scheduler(num_training_steps, optimizer)

    # Checkpoints

    def train(
        self,
        resume_from_checkpoint: str | bool | None = None,
        trial: Any = None,
        ignore_keys_for_eval: list[str] | None = None,
    ) -> TrainOutput:
        """As transformers' Trainer; an average goes on from the same checkpoint."""
        if self.average and resume_from_checkpoint:
            self.average.checkpoint = str(resume_from_checkpoint)
        return super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Load a checkpoint's weights, whose names on disk are not SegFormer's names in memory.

        The Trainer of transformers 5.24 matches them by name, finds nothing, warns and goes on with the weights that
        the model happens to have; `from_pretrained` translates.
        """
        stored = type(self.network).from_pretrained(resume_from_checkpoint, dtype=self.network.dtype)
        self.network.load_state_dict(stored.state_dict())

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the averaged weights where an average is kept: they are what is saved at the end."""
        with self.average.applied(self.network) if self.average else contextlib.nullcontext():
            return super().evaluation_loop(*args, **kwargs)
