"""Rules of the postprocessing that need classes for certain parts of the body, and what is missing without them."""

from clothseg.labels import LabelSet


NO_LEGS_RULE = "Leg pixels in photos cropped above the legs are not removed: this needs classes for face and legs."

NO_BACK_VIEW = (
    "Left and right are not swapped for people seen from behind: this needs classes for face, hair, and left and "
    "right."
)

NO_HEADS = "People are separated only where they stand apart: the model has no class for heads."

NO_ORIENTATION = "Photos are not turned upright: the model has no classes for heads or legs."

NO_HEADWEAR_RULE = "Hats and glasses away from a head are not removed: the model has no classes for face or hair."

SENTENCES = (NO_LEGS_RULE, NO_BACK_VIEW, NO_HEADS, NO_ORIENTATION, NO_HEADWEAR_RULE)
"""All of these messages."""


def missing_rules(labels: LabelSet) -> tuple[str, ...]:
    """Return a sentence for each rule that does not apply with a label set; none for ATR's."""
    head = labels.with_roles("face", "hair")
    applies = {
        NO_LEGS_RULE: bool(labels.legs) and labels.has("face"),
        NO_BACK_VIEW: bool(labels.pairs) and labels.has("face", "hair"),
        NO_HEADS: bool(labels.head),
        NO_ORIENTATION: bool(labels.head or labels.legs),
        NO_HEADWEAR_RULE: bool(head) or not labels.with_roles("hat", "glasses"),
    }
    return tuple(sentence for sentence in SENTENCES if not applies[sentence])
