"""Label sets: names, ids, colours, groups, left/right pairs and roles of classes.

`LabelSet` describes the classes of a model; `ATR`, the default, `LIP`, `CIHP`, `FASHN` and `FASHIONPEDIA` come with
clothseg. The constants below are ATR's, for code that is about ATR.
"""

from clothseg.labels.file import LABELS_FILE, read_labels, write_labels
from clothseg.labels.known import ATR, CIHP, FASHIONPEDIA, FASHN, KNOWN, LIP, label_set_of
from clothseg.labels.label_set import ALL_GARMENTS, BACKGROUND, IGNORE, LabelSet, channel_order, names_of
from clothseg.labels.shared import SharedClass, SharedClasses, shared_classes


__all__ = [
    "ALL_GARMENTS",
    "ATR",
    "BACKGROUND",
    "CIHP",
    "FASHIONPEDIA",
    "FASHN",
    "GROUPS",
    "ID2LABEL",
    "IGNORE",
    "KNOWN",
    "LABEL2ID",
    "LABELS_FILE",
    "LIP",
    "NAMES",
    "NUM_CLASSES",
    "PALETTE",
    "SIDE_PAIRS",
    "SWAP_SIDES",
    "LabelSet",
    "SharedClass",
    "SharedClasses",
    "channel_order",
    "class_names",
    "hex_color",
    "ids_of",
    "ink",
    "label_set_of",
    "mirror",
    "names_of",
    "read_labels",
    "shared_classes",
    "swap_sides",
    "write_labels",
]

NAMES = ATR.names
NUM_CLASSES = len(ATR)
ID2LABEL: dict[int, str] = dict(ATR.id2label)
LABEL2ID: dict[str, int] = dict(ATR.label2id)
SIDE_PAIRS = ATR.pairs
GROUPS = ATR.groups
PALETTE = ATR.palette[:NUM_CLASSES]
SWAP_SIDES = ATR.swap_table
hex_color = ATR.hex_color
ink = ATR.ink
swap_sides = ATR.swap_sides
mirror = ATR.mirror
ids_of = ATR.ids_of
class_names = ATR.class_names
