"""Score models whose classes are not those of the data: on the classes that all of them share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.errors import ConfigError
from clothseg.labels import BACKGROUND, IGNORE, LabelSet, SharedClasses, shared_classes
from clothseg.labels.roles import words_of


Table = npt.NDArray[np.uint8]


class ModelMapping(NamedTuple):
    """How the masks and one model's label maps become shared classes.

    Attributes:
        labels: the shared classes.
        truth: (256,) from a class of the data to a shared one; 255 for classes that are not scored.
        prediction: (256,) from a class of the model to a shared one; the background for classes without counterpart.
        lines: the mapping in words, where classes differ in more than the spelling.
    """

    labels: LabelSet
    truth: Table
    prediction: Table
    lines: tuple[str, ...] = ()


class ClassMapping(NamedTuple):
    """The classes that a data set and one or more models share.

    Attributes:
        models: the mapping of each model.
        unscored: names of the classes of the data that are not scored.
    """

    models: tuple[ModelMapping, ...]
    unscored: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the mapping of all models in words, each line once."""
        unscored = (f"not scored: {', '.join(self.unscored)}",) if self.unscored else ()
        return (*dict.fromkeys(line for model in self.models for line in model.lines), *unscored)


def map_classes(data: LabelSet, models: Sequence[LabelSet]) -> ClassMapping:
    """Match the classes of a data set with those of models.

    Classes are matched as by `shared_classes`. Where one label set divides a class that another does not, its parts
    are merged for all. Classes of the data that some model lacks are not scored; classes of a model that the data
    lack count as background.

    Raises:
        ConfigError: there is no shared class but the background.
    """
    found = [shared_classes(data, each) for each in models]
    groups = [each.tables[0][: len(data)] for each in found]
    scored = np.all([each != IGNORE for each in groups], axis=0)
    part_of = _components(groups, scored)
    labels = LabelSet.of(_names(data, found, part_of), "shared classes") if part_of.max() > 0 else None
    if labels is None:
        raise ConfigError(
            "The model and the data share no class but the background: "
            f"{', '.join(data.names)} against {' and '.join(', '.join(each.names) for each in models)}."
        )
    truth = np.full(256, IGNORE, np.uint8)
    truth[: len(data)] = np.where(scored, part_of, IGNORE)
    mappings = []
    for each, model in zip(found, models, strict=True):
        prediction = np.full(256, BACKGROUND, np.uint8)
        for shared in each.classes:
            parts = {int(part_of[index]) for index in shared.first if scored[index]}
            if parts:
                prediction[list(shared.second)] = parts.pop()
        lines = _lines(labels, truth, data, prediction, model, each)
        mappings.append(ModelMapping(labels, truth, prediction, tuple(lines)))
    return ClassMapping(tuple(mappings), tuple(data.names[index] for index in np.flatnonzero(~scored)))


def _components(groups: Sequence[npt.NDArray[np.uint8]], scored: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the number of the shared class of each class of the data, from 0 in the order of the ids; -1 for classes
    that are not scored. Classes that are together in any of `groups` are together."""
    part = np.where(scored, np.arange(len(scored)), -1)
    for _ in range(len(scored)):
        before = part.copy()
        for group in groups:
            for number in np.unique(group[scored]):
                inside = scored & (group == number)
                part[inside] = part[inside].min()
        if (part == before).all():
            break
    kept = np.unique(part[scored])
    return np.where(scored, np.searchsorted(kept, part), -1)


def _names(data: LabelSet, found: Sequence[SharedClasses], part_of: npt.NDArray[np.int64]) -> list[str]:
    names: list[str] = []
    for part in range(int(part_of.max()) + 1):
        ids = tuple(np.flatnonzero(part_of == part).tolist())
        merged = next((each.name for one in found for each in one.classes if each.first == ids), None)
        name = data.names[ids[0]] if len(ids) == 1 else merged or " + ".join(data.names[index] for index in ids)
        names.append(name if name not in names else f"{name} ({part})")
    return names


def _lines(
    labels: LabelSet, truth: Table, data: LabelSet, prediction: Table, model: LabelSet, found: SharedClasses
) -> list[str]:
    lines = []
    used = {
        index for shared in found.classes if (truth[list(shared.first)] != IGNORE).any() for index in shared.second
    }
    for part, name in enumerate(labels.names):
        ours = [each for index, each in enumerate(data.names) if truth[index] == part]
        theirs = [each for index, each in enumerate(model.names) if prediction[index] == part and index in used]
        if [words_of(each) for each in ours] != [words_of(each) for each in theirs]:
            lines.append(f"{name}: {' + '.join(ours)} = {' + '.join(theirs)}")
    extra = [name for index, name in enumerate(model.names) if index not in used]
    if extra:
        lines.append(f"counted as {labels.background}: {', '.join(extra)}")
    return lines
