"""Knowledge distillation: learn from a teacher's probabilities in addition to the labels (Hinton et al., 2015)."""

import torch
from torch.nn import functional
from transformers import PreTrainedModel, SegformerImageProcessorPil

from clothseg.errors import ConfigError
from clothseg.labels import ATR, LabelSet, label_set_of
from clothseg.models.loading import load
from clothseg.training.data.mask_classes import check_teacher


def soft_cross_entropy(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the Kullback-Leibler divergence of the student's probabilities from the teacher's, for each photo.

    Logits are divided by `temperature` before the softmax, and the divergence is multiplied by its square, so that the
    size of the gradients does not depend on it.

    Args:
        student: logits (N, C, h, w).
        teacher: logits (N, C, H, W), resized to the student's size.
        temperature: above 0; 1 leaves the probabilities unchanged, higher values make them more uniform.

    Returns:
        (N,) mean over the pixels, at least 0. Labels are not used, so pixels without annotation count as well.
    """
    teacher = functional.interpolate(teacher.float(), student.shape[-2:], mode="bilinear", align_corners=False)
    target = (teacher / temperature).log_softmax(dim=1)
    found = (student.float() / temperature).log_softmax(dim=1)
    divergence = (target.exp() * (target - found)).sum(dim=1)
    return divergence.mean(dim=(1, 2)) * temperature**2


class Teacher:
    """A trained, frozen model that computes logits for the student's input."""

    def __init__(
        self,
        name: str,
        revision: str | None,
        processor: SegformerImageProcessorPil,
        device: torch.device,
        labels: LabelSet = ATR,
    ) -> None:
        """Load a Hub id or folder.

        Args:
            name: Hub id or folder.
            revision: branch, tag or commit, for the Hub only.
            processor: the student's; both must normalise colours equally, since both get the same tensor.
            device: of the teacher.
            labels: the student's classes.

        Raises:
            ModelError, HubError: it cannot be loaded.
            ConfigError: it has other classes, or expects colours normalised differently.
        """
        loaded = load(name, revision, None)
        check_teacher(labels, label_set_of(loaded.model.config.id2label), name)
        ours, theirs = ((list(one.image_mean), list(one.image_std)) for one in (processor, loaded.processor))
        if ours != theirs:
            raise ConfigError(
                f"The teacher {name} normalises colours by mean {theirs[0]} and std {theirs[1]}, the student by "
                f"{ours[0]} and {ours[1]}: both must get the same input. Use a teacher with the student's values."
            )
        self.model: PreTrainedModel = loaded.model.float().eval().requires_grad_(False).to(device)

    @torch.no_grad()
    def __call__(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, C, H/4, W/4) of pixels (N, 3, H, W)."""
        return self.model(pixel_values=pixel_values).logits
