"""The page: a photo goes in, its regions are shown, and the garments picked are taken away as a transparent PNG."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg import panels
from clothseg.endpoints import (
    MAX_FILE_BYTES,
    MODEL_QUEUE,
    add_endpoints,
    photo_input,
    save_cutout,
    save_labels,
    save_summary,
)
from clothseg.errors import ClothsegError
from clothseg.labels import BACKGROUND, GROUPS, NAMES, hex_color
from clothseg.segmentation import Segmentation
from clothseg.segmenter import Segmenter
from clothseg.theme import paper_and_ink


PREVIEW = 1024
"""Longest side of what the page shows, in pixels; files have the photo's own size."""

KEEP_SECONDS = 3600
"""Photos, files and a session's result are deleted after this time."""

EXAMPLES = ("astronaut.jpg", "doll-skirt.jpg", "doll-trousers.jpg", "photographer.jpg")


def build(segmenter: Segmenter, examples: Path | None = None, address: str = "http://127.0.0.1:7860") -> gr.Blocks:
    """The app around a loaded model.

    Args:
        segmenter: Runs one photo at a time.
        examples: Folder of example photos; their names are in `EXAMPLES`.
        address: Where programs reach the app: a Space's name or a URL, for the manual on the page.
    """
    with gr.Blocks(title="clothseg: clothes, cut out", delete_cache=(600, KEEP_SECONDS)) as page:
        gr.HTML(panels.header())
        result = gr.State(time_to_live=KEEP_SECONDS)
        wanted = gr.State(time_to_live=KEEP_SECONDS)  # (result, names): what the cut-out shows, or soon will
        with gr.Row(elem_id="work"):
            with gr.Column(elem_id="photo-card"):
                photo = photo_input(
                    label="Photo",
                    elem_id="photo",
                    sources=["upload", "clipboard", "webcam"],
                    height=480,
                    # A mirrored picture would swap the wearer's left and right.
                    webcam_options=gr.WebcamOptions(mirror=False),
                    placeholder="Drop a photo here\nor click to choose one",
                    buttons=["fullscreen"],
                )
                if examples is not None:
                    gr.Examples(
                        [str(examples / name) for name in EXAMPLES],
                        photo,
                        label="Or try one of these",
                        elem_id="examples",
                    )
            with gr.Column(elem_id="regions-card"):
                start = gr.HTML(panels.start(), elem_id="start")
                regions = gr.AnnotatedImage(
                    label="Regions",
                    elem_id="regions",
                    visible=False,
                    height=480,
                    color_map={name: hex_color(name) for name in NAMES},
                )
            with gr.Column(elem_id="picker-card", visible=False) as picker_card:
                gr.HTML("<h2>Pick what to keep</h2><p>Click garments here, in the photo or under the regions.</p>")
                with gr.Row(elem_id="presets"):
                    presets = {name: gr.Button(name, size="sm", min_width=60) for name in GROUPS}
                    clear = gr.Button("Clear", size="sm", min_width=60, elem_id="clear")
                picker = gr.CheckboxGroup(
                    label="Garments and body parts found", show_label=False, container=False, elem_id="picker"
                )
                save = gr.DownloadButton("Download cut-out", variant="primary", interactive=False, elem_id="save")
                with gr.Row(elem_id="more"):
                    labels_file = gr.DownloadButton("Label map (PNG)", size="sm", elem_id="save-labels")
                    summary_file = gr.DownloadButton("Summary (JSON)", size="sm", elem_id="save-summary")
            with gr.Column(elem_id="cutout-card", visible=False) as cutout_card:
                cutout = gr.Image(
                    label="Cut-out",
                    elem_id="cutout",
                    format="png",
                    interactive=False,
                    height=620,
                    buttons=["fullscreen"],
                )
            with gr.Column(elem_id="table-card", visible=False) as table_card:
                table = gr.HTML()
        with gr.Accordion("Use it from a program", open=False, elem_id="manual"):
            gr.Markdown(panels.manual(address))
        gr.HTML(panels.footer(segmenter.name, segmenter.revision, segmenter.license_note, segmenter.notice))
        add_endpoints(segmenter)

        cards = [regions, picker_card, cutout_card, table_card]

        def analyse(path: str | bytes | None) -> dict[Any, Any]:
            found, message = None, panels.start()
            if path is not None:
                try:
                    found = segmenter(path)
                except ClothsegError as error:
                    message = panels.problem(str(error))
            shown: dict[Any, Any] = {card: gr.update(visible=found is not None) for card in cards}
            shown |= {start: gr.update(value=message, visible=found is None), result: found}
            if found is None:
                return shown | {picker: gr.update(choices=[], value=[]), wanted: (None, [])}
            present = names_found(found)
            names = of_group("All garments", present) or present
            for name, button in presets.items():
                shown[button] = gr.update(interactive=bool(of_group(name, present)))
            return shown | {
                regions: gr.update(value=annotate(found), visible=True),
                picker: gr.update(choices=present, value=names),
                wanted: (found, names),
                table: panels.table(found),
                labels_file: save_labels(found),
                summary_file: save_summary(found),
            }

        private: dict[str, Any] = {"api_visibility": "private"}
        instant = private | {"queue": False, "show_progress": "hidden"}
        outputs = [result, wanted, start, *cards, *presets.values(), picker, table, labels_file, summary_file]
        photo.change(
            analyse,
            photo,
            outputs,
            show_progress_on=[start, regions],
            concurrency_id=MODEL_QUEUE,
            concurrency_limit=1,
            **private,
        )
        photo.select(pick_at, [result, picker], picker, **instant)
        regions.select(pick_named, picker, picker, **instant)
        clear.click(lambda: [], None, picker, **instant)
        for name, button in presets.items():
            button.click(_preset(name), result, picker, **instant)
        # Queued, unlike those above: gradio reports a state's change only from there.
        picker.change(
            want,
            [result, picker, wanted],
            [wanted, save],
            show_progress="hidden",
            concurrency_limit=None,
            **private,
        )
        # One event for every cause, so that of quick picks the last one wins, and a new photo is cut out but once.
        wanted.change(
            cut,
            wanted,
            [cutout, save],
            show_progress_on=cutout,
            trigger_mode="always_last",
            concurrency_limit=2,
            **private,
        )
    return page


def launch_options() -> dict[str, Any]:
    """What gradio takes at launch rather than when the page is built: looks, limits and switches."""
    return {
        "theme": paper_and_ink(),
        "css": panels.swatches(),
        "css_paths": Path(__file__).with_name("ui.css"),
        "max_file_size": MAX_FILE_BYTES,
        # Each session holds its photo and label map: this bounds the memory that closed tabs go on using.
        "state_session_capacity": 64,
        "run_history": False,
        "show_error": True,
        "ssr_mode": False,
        "footer_links": ["api", "settings"],
    }


def names_found(result: Segmentation) -> list[str]:
    """The classes present, Background left out, in the order of the ids."""
    return [name for name in result.areas if name != NAMES[BACKGROUND]]


def of_group(group: str, present: list[str]) -> list[str]:
    """Those of the classes `present` that belong to the preset `group`."""
    return [name for name in present if name in GROUPS[group]]


def reduced(result: Segmentation) -> Segmentation:
    """`result` at the size in which the page shows it: at most `PREVIEW` pixels on the longer side."""
    photo = result.photo
    scale = min(1, PREVIEW / max(photo.size))
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    label_map = cv2.resize(result.label_map, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return Segmentation(photo.resize(size, Image.Resampling.BICUBIC, reducing_gap=2), label_map.astype(np.uint8))


def annotate(result: Segmentation) -> tuple[Image.Image, list[tuple[npt.NDArray[np.float32], str]]]:
    """Value of a gr.AnnotatedImage: the photo, reduced, and per class a mask of opacities 0..1, outlined."""
    small = reduced(result)
    regions = []
    for name in names_found(small):
        inside = small.mask(name).astype(np.uint8)
        core = cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=1)
        regions.append(((inside * 0.95 - core * 0.4).astype(np.float32), name))
    return small.photo, regions


def want(result: Segmentation | None, names: list[str], wanted: tuple[Any, Any]) -> tuple[Any, Any]:
    """What `cut` is to show next; until it does, the file on offer is the one before and must not be taken."""
    if wanted == (result, names):
        return gr.skip(), gr.skip()
    return (result, names), gr.update(interactive=False)


def cut(wanted: tuple[Segmentation | None, list[str]]) -> Iterator[tuple[Any, Any]]:
    """Yield the cut-out's preview at once, and the download when its file, of the photo's own size, is written."""
    result, names = wanted
    if result is None or not names:
        yield None, gr.update(value=None, label="Pick something to cut out", interactive=False)
        return
    preview = reduced(result).cutout(*names)
    yield preview, gr.update(value=None, label="Preparing the file…", interactive=False)
    path = save_cutout(result, names)
    # The preview once more: of two answers in quick succession the page at times shows only the last.
    yield preview, gr.update(value=path, label=f"Download {Path(path).name}", interactive=True)


def pick_at(result: Segmentation | None, names: list[str], event: gr.SelectData) -> Any:
    """Add or take away the class at the pixel of the photo that was clicked."""
    x, y = event.index
    height, width = (0, 0) if result is None else result.label_map.shape
    if result is None or not (0 <= x < width and 0 <= y < height) or result.label_map[y, x] == BACKGROUND:
        return gr.skip()
    return _toggled(names, NAMES[result.label_map[y, x]])


def pick_named(names: list[str], event: gr.SelectData) -> list[str]:
    """Add or take away the class whose name was clicked under the regions."""
    return _toggled(names, event.value)


def _toggled(names: list[str], name: str) -> list[str]:
    return [other for other in names if other != name] if name in names else [*names, name]


def _preset(group: str) -> Any:
    return lambda result: [] if result is None else of_group(group, names_found(result))
