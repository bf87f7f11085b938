"""Post-processing rules report classes that a label set lacks."""

from clothseg.labels import ATR, CIHP, FASHIONPEDIA, FASHN, LIP, LabelSet
from clothseg.postprocess import requirements


def test_rules_without_their_classes_are_reported() -> None:
    for complete in (ATR, LIP, CIHP):
        assert requirements.missing_rules(complete) == ()
    assert requirements.missing_rules(FASHN) == (requirements.NO_BACK_VIEW,)
    assert requirements.missing_rules(FASHIONPEDIA) == (
        requirements.NO_LEGS_RULE,
        requirements.NO_BACK_VIEW,
        requirements.NO_HEADWEAR_RULE,
    )
    assert requirements.missing_rules(LabelSet.of(["bg", "top"])) == (
        requirements.NO_LEGS_RULE,
        requirements.NO_BACK_VIEW,
        requirements.NO_HEADS,
        requirements.NO_ORIENTATION,
    )
