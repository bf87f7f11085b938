"""Distillation: the divergence matches its definition, and a student learns to agree with its teacher."""

from pathlib import Path

import pytest
import torch
from transformers import SegformerImageProcessorPil

from clothseg.errors import ConfigError
from clothseg.training.distillation import Teacher, soft_cross_entropy
from clothseg.training.model import build_model, build_processor


def test_divergence_matches_its_definition_and_is_zero_for_equal_logits() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 2, 18, 4, 3)
    expected = torch.zeros(2)
    for photo in range(2):
        for row in range(4):
            for column in range(3):
                p = (teacher[photo, :, row, column] / 3).softmax(0)
                q = (student[photo, :, row, column] / 3).softmax(0)
                expected[photo] += 9 * (p * (p / q).log()).sum() / 12
    assert torch.allclose(soft_cross_entropy(student, teacher, 3.0), expected, atol=1e-5)
    assert soft_cross_entropy(teacher, teacher + 5, 2.0).abs().max() < 1e-5


def test_teacher_logits_are_resized_to_the_student() -> None:
    teacher = torch.randn(1, 18, 1, 1).expand(1, 18, 8, 8)
    assert soft_cross_entropy(teacher[..., :4, :4], teacher, 1.0).abs().max() < 1e-5


def test_temperature_keeps_gradient_scale() -> None:
    torch.manual_seed(1)
    student, teacher = torch.randn(1, 18, 8, 8, requires_grad=True), torch.randn(1, 18, 8, 8)
    sizes = [torch.autograd.grad(soft_cross_entropy(student, teacher, t).sum(), student)[0].norm() for t in (1.0, 8.0)]
    assert 0.3 < sizes[1] / sizes[0] < 3


def test_student_learns_from_the_teacher_only(tiny_model: Path) -> None:
    teacher = Teacher(str(tiny_model), None, build_processor((64, 64)), torch.device("cpu"))
    assert not any(parameter.requires_grad for parameter in teacher.model.parameters())
    torch.manual_seed(0)
    student = build_model(str(tiny_model))
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.3 * parameter.std().nan_to_num() * torch.randn_like(parameter))
    pixels = torch.randn(2, 3, 64, 64)
    optimizer, seen = torch.optim.Adam(student.parameters(), 2e-3), []
    for _ in range(15):
        loss = soft_cross_entropy(student(pixel_values=pixels).logits, teacher(pixels), 2.0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert seen[-1] < 0.5 * seen[0]


def test_teacher_with_other_normalisation_is_rejected(tiny_model: Path) -> None:
    other = SegformerImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)
    with pytest.raises(ConfigError, match="normalises colours by mean"):
        Teacher(str(tiny_model), None, other, torch.device("cpu"))
