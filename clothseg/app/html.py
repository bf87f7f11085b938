"""The page's own HTML: title, empty state, tables and footer. Pure functions that return strings."""

from collections.abc import Sequence
from html import escape

from clothseg.app.i18n import LANGUAGES, NAME, percent, tr, use_language
from clothseg.app.messages import localized
from clothseg.labels import ATR, LabelSet
from clothseg.models.license import STATED
from clothseg.outputs.comparison import ClassAgreement, Comparison


_HANGER = (
    '<svg viewBox="0 0 48 48" aria-hidden="true"><path d="M18.5 15.5a5.5 5.5 0 1 1 8 4.9c-1.7.9-2.5 2-2.5 3.7'
    'L44 35c2 1.5 1 4.5-1.5 4.5h-37C3 39.5 2 36.5 4 35L24 24.1"/></svg>'
)


def header() -> str:
    """Return the title, one sentence about the app, and links to the other languages."""
    colors = [ATR.hex_color(name) for name in ATR.foreground]
    stops = [f"{color} {i / len(colors):.2%} {(i + 1) / len(colors):.2%}" for i, color in enumerate(colors)]
    links = "".join(
        f'<a href="?lang={code}" lang="{code}" hreflang="{code}">{_own_name(code)}</a>' for code in LANGUAGES
    )
    return f"""<header class="title">{_HANGER}<h1>clothseg</h1>
<p>{tr("Finds every garment in a photo and cuts it out, at the photo’s full size.")}</p>
<nav lang="{tr("en")}" aria-label="{tr("Language")}">{links}</nav></header>
<div class="ribbon" style="background:linear-gradient(90deg,{",".join(stops)})"></div>"""


def _own_name(language: str) -> str:
    """Return a language's own name."""
    with use_language(language):
        return tr(NAME)


def heading(title: str, text: str) -> str:
    """Return the head of a card from HTML strings."""
    return f"<h2>{title}</h2><p>{text}</p>"


def start() -> str:
    """Return the text beside the photo input while there is no photo."""
    return f"""<section class="start">{_figure()}<div><h2>{tr("Drop a photo to begin")}</h2><ol>
<li>{tr("Drop, paste or take a photo of a dressed person.")}</li>
<li>{tr("Click the garments you want.")}</li>
<li>{tr("Download the cut-out as a transparent PNG.")}</li></ol></div></section>"""


def result_bar() -> str:
    """Return the button above the items of a photo that leads to the next photo."""
    return f'<button type="button" id="new-photo">{tr("New photo")}</button>'


def announcement(text: str) -> str:
    """Return a status line for screen readers."""
    return f'<p class="unseen" role="status">{escape(text)}</p>'


def search_notes(notes: Sequence[str], heard: str = "") -> str:
    """Return the text below the search field: visible notes, and text for screen readers."""
    if not notes:
        return f'<p class="unseen" role="status">{escape(heard)}</p>'
    return f'<p class="search-notes" role="status">{escape(" ".join(notes))}</p>'


def toast() -> str:
    """Return the place where the page reports what it did in the browser, such as copying to the clipboard."""
    return '<p id="said-here" class="toast" role="status"></p>'


def loading(name: str | None) -> str:
    """Return the notice that the model is loading.

    Args:
        name: Hub id or folder of the model; None for the embedded one.
    """
    text = (
        tr("The model {name} is being loaded.", name=f"<code>{escape(name)}</code>")
        if name
        else tr("The model is being loaded.")
    )
    return f'<p class="coming" role="status">{text} {tr("You can begin: photos wait until the model is ready.")}</p>'


def problem(message: str, title: str = "") -> str:
    """Return the message that replaces a result; `title` is HTML of the page."""
    title = title or tr("This photo cannot be used")
    return f'<section class="problem" role="alert"><h2>{title}</h2><p>{escape(message)}</p></section>'


def notes(texts: Sequence[str]) -> str:
    """Return the notes of a result (`Segmentation.notes`), shown above it."""
    listed = "".join(f"<p>{tr(text)}</p>" for text in texts)
    return f'<section class="notes" role="status">{listed}</section>' if listed else ""


def _share(share: float) -> str:
    return f"&lt; {percent(0.001, 1)}" if 0 < share < 0.001 else percent(share, 1)


def swatch(name: str, labels: LabelSet) -> str:
    """Return a class's number on its colour."""
    style = f"background:{labels.hex_color(name)};color:{labels.ink(name)}"
    return f'<i class="swatch" style="{style}">{labels.id_of(name)}</i>'


def class_name(name: str) -> str:
    """Return a class's name as HTML, in the reader's language if it has a translation; names come from models."""
    return escape(tr(name))


def footer(model: str, revision: str | None, license_note: str, notice: str = "") -> str:
    """Return the footer: model and licence, and a `notice` if another model or an older state of it is served."""
    status = f'<p class="notice" role="status"><strong>{escape(localized(notice))}</strong></p>' if notice else ""
    return f"""<footer class="foot">{status}<p>{tr("Model")} {model_name(model, revision)}. {licence(license_note)}
{tr("Photos and results are deleted from this server within about an hour.")}</p></footer>"""


def licence(note: str) -> str:
    """Return the text of `license.license_note` in the reader's language."""
    if note.startswith(STATED):
        return tr("Licence of the weights, by their model card: {terms}", terms=escape(note.removeprefix(STATED)))
    return tr(escape(note))


def model_name(model: str, revision: str | None) -> str:
    """Return a model's name and commit as HTML."""
    name = f"<code>{escape(model)}</code>"
    return (
        tr("{model}, commit {commit}", model=name, commit=f"<code>{escape(revision[:10])}</code>")
        if revision
        else name
    )


def agreement(comparison: Comparison, first: str, second: str) -> str:
    """Return a table of the agreement of two label maps, overall and for each class, with the numbers and colours that
    the classes have in the pictures: one for both maps, or each map's own where their classes differ.

    Args:
        comparison: of both label maps.
        first: name of the first result, as HTML.
        second: name of the second result, as HTML.
    """
    same = comparison.labels[0] == comparison.labels[1]

    def swatches(row: ClassAgreement, side: int) -> str:
        return "".join(swatch(name, comparison.labels[side]) for name in row.parts[side])

    rows = "".join(
        f'<tr><th scope="row">{swatches(row, 0) if same else ""}{class_name(row.name)}</th>'
        f"<td>{'' if same else swatches(row, 0)}{_share(row.first)}</td>"
        f"<td>{'' if same else swatches(row, 1)}{_share(row.second)}</td>"
        f'<td><span class="bar"><b style="width:{100 * row.overlap:.0f}%"></b></span>'
        f"{percent(row.overlap, 1)}</td></tr>"
        for row in comparison.classes
    )
    text = tr("{share} of the pixels have the same class", share=percent(comparison.agreement, 1))
    return (
        f'<div class="scroll"><table class="found"><caption>{text}</caption><thead><tr>'
        f'<th scope="col">{tr("Class")}</th><th scope="col">{tr("Area in {name}", name=first)}</th>'
        f'<th scope="col">{tr("Area in {name}", name=second)}</th>'
        f'<th scope="col">{tr("Overlap (IoU)")}</th></tr></thead><tbody>{rows}</tbody></table></div>'
        + _left_out(comparison, (first, second))
    )


def _left_out(comparison: Comparison, names: tuple[str, str]) -> str:
    """Return which classes of either model the other has no counterpart for."""
    said = [
        tr("Only {model} has: {classes}.", model=name, classes=escape(", ".join(map(tr, classes))))
        for name, classes in zip(names, comparison.left_out, strict=True)
        if classes
    ]
    if not said:
        return ""
    return f"<p>{tr('These classes were not compared.')} {' '.join(said)}</p>"


def style() -> str:
    """Return the CSS that depends on the languages."""
    return "\n".join(
        f'.title nav[lang="{language}"] a[lang="{language}"] {{ display: none; }}' for language in LANGUAGES
    )


def _figure() -> str:
    c = {name: ATR.hex_color(name) for name in ATR.names}
    return f"""<svg class="figure" viewBox="0 0 120 260" aria-hidden="true">
<path fill="{c["Hair"]}" d="M40 34c-3-30 43-30 40 0l3 22H37z"/>
<path fill="{c["Face"]}" d="M46 32c0-16 28-16 28 0 0 12-5 22-14 22S46 44 46 32zM54 50h12v14H54z"/>
<path fill="{c["Right-arm"]}" d="M27 104l12 4-6 46c-1 7-12 6-12-1z"/>
<path fill="{c["Left-arm"]}" d="M93 104l-12 4 6 46c1 7 12 6 12-1z"/>
<path fill="{c["Right-leg"]}" d="M46 190h11l-2 48H45z"/><path fill="{c["Left-leg"]}" d="M63 190h11l1 48H65z"/>
<path fill="{c["Skirt"]}" d="M44 130h32l12 66H32z"/>
<path fill="{c["Upper-clothes"]}" d="M50 62q10 9 20 0l17 7 10 37-15 4-4-14-2 30H44l-2-30-4 14-15-4 10-37z"/>
<path fill="{c["Belt"]}" d="M44 125h32v7H44z"/>
<path fill="{c["Right-shoe"]}" d="M45 236h10v10q-11 6-18 1 1-3 8-5z"/>
<path fill="{c["Left-shoe"]}" d="M65 236h10v6q7 2 8 5-7 5-18-1z"/>
<path fill="{c["Bag"]}" d="M84 156h28l4 32H80zM90 156q8-18 16 0h-3q-5-11-10 0z"/></svg>"""
