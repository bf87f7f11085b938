"""The card of a model in training, pushed with each save: licence, step and evaluations so far."""

from pathlib import Path

from huggingface_hub import ModelCard
from transformers import PreTrainedModel, TrainerState

from clothseg.images.atomic_files import atomic_path
from clothseg.training.config import TrainArguments
from clothseg.training.progress import COLUMNS, evaluation_rows
from clothseg.training.publish.card import front_matter, licence_of
from clothseg.training.publish.report import table


TEXT = """# {name}

A clothes segmentation model **in training**: step {step} of {steps}, epoch {epoch:.2f}. The weights are those of this
step. When the training is done, the finished model and its card with figures on held-out photos replace this one.

**Licence of the weights.** {licence}
{evaluations}"""


def write_progress_card(
    folder: Path, repo_id: str, model: PreTrainedModel, parsing: TrainArguments, state: TrainerState
) -> None:
    """Write `README.md` into the folder of a model that is still being trained.

    Args:
        state: the Trainer's.
    """
    licence = licence_of(parsing.model_name_or_path, parsing.from_scratch, model)
    heading = [heading for heading, _ in COLUMNS.values()]
    rows = [
        [format(row[name], style) for name, (_, style) in COLUMNS.items()]
        for row in evaluation_rows(state.log_history)
    ]
    evaluations = "\nEvaluations on the validation rows, at the network's size:\n\n" + table(heading, rows) + "\n"
    text = TEXT.format(
        name=repo_id.split("/")[-1],
        step=state.global_step,
        steps=state.max_steps,
        epoch=state.epoch or 0,
        licence=licence.sentence,
        evaluations=evaluations if rows else "",
    )
    card = ModelCard(f"---\n{front_matter(repo_id, model, parsing)}\n---\n\n{text}")
    with atomic_path(folder / "README.md") as file:
        card.save(file)
