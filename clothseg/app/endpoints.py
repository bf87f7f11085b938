"""The functions behind the app's named endpoints. The API page and the MCP tools show their docstrings."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clothseg.app.downloads import (
    new_path,
    save_coco,
    save_cutout,
    save_cutout_picture,
    save_format,
    save_items_zip,
    save_labels,
    save_masks,
    save_overlay,
    save_packshot,
    save_recolored,
    save_tryon,
)
from clothseg.app.mcp import described
from clothseg.app.model_loader import pending
from clothseg.app.photo_input import plain_errors
from clothseg.batch.photo_files import OutputSpec
from clothseg.batch.to_zip import segment_to_zip
from clothseg.batch.training_examples import save_training_example
from clothseg.errors import ConfigError, ImageError, UnknownClassError
from clothseg.options import CutoutOptions, PackshotOptions, SegmentOptions, TryonOptions
from clothseg.outputs.find.reader import read_query
from clothseg.outputs.items import items_to_dict
from clothseg.outputs.recolor import parse_color
from clothseg.postprocess.clicks import Click
from clothseg.postprocess.strokes import Stroke, from_json
from clothseg.segmentation import Segmentation
from clothseg.segmenter import Segmenter


DEFAULT = SegmentOptions()


def _names(classes: Any) -> list[str]:
    """Return the named classes as a list: from a list, one name, or nothing; reject other JSON values."""
    if classes is not None and not isinstance(classes, str | list):
        raise UnknownClassError(f"classes must be a list of names, not {str(classes)[:50]}.")
    return [classes] if isinstance(classes, str) else list(classes or [])


def endpoint_functions(segmenter: Segmenter, save_corrections: Path | None = None) -> dict[str, Callable[..., Any]]:
    """Return the functions behind the endpoints, each under its endpoint's name.

    Args:
        segmenter: the model.
        save_corrections: folder of a data set to which what `/refine` corrected is written; None for none.
    """

    def run(photo: str | bytes | None, look: SegmentOptions) -> Segmentation:
        if photo is None:
            raise ImageError("No photo was given; send one.")
        return segmenter(photo, look)

    @plain_errors
    @described
    def segment(
        photo: str | bytes | None,
        look: SegmentOptions = DEFAULT,
    ) -> tuple[str, str, dict[str, Any]]:
        """Find clothes and body parts in a photo of a dressed person; left and right are the wearer's own.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.

        Returns:
            The photo with coloured regions (JPEG); the label map (PNG of the photo's size whose pixel values are the
            class ids); and a summary: rotation (degrees clockwise by which a photo that is not upright was turned),
            notes (sentences, for example if nobody seems to be in the photo), and the id, name, share of the photo
            (0..1), mean confidence (0..1) and box [x, y, width, height] in pixels of each class.
        """
        result = run(photo, look)
        return save_overlay(result), save_labels(result), result.to_dict()

    @plain_errors
    @described
    def refine(
        photo: str | bytes | None,
        clicks: list[dict[str, Any]] | None = None,
        strokes: list[dict[str, Any]] | None = None,
        label_map: str | bytes | None = None,
        look: SegmentOptions = DEFAULT,
    ) -> tuple[str, str, dict[str, Any]]:
        """Segment a photo and correct the result by clicks, strokes of a brush, or a label map corrected elsewhere.

        A corrected label map is taken first, then clicks, then strokes, each in order: later ones win.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            clicks: Places whose class is known: a JSON list of {"x", "y", "label"} in pixels of the photo. The region
                that a click means takes the class.
            strokes: Lines of a round brush: a JSON list of {"points": [[x, y], ...], "radius", "label"} in pixels of
                the photo. What the brush covers takes the class, exactly.
            label_map: A corrected label map: a PNG of the photo's size whose pixel values are class ids.

        Returns:
            As from segment, corrected; corrections in the summary lists what was done, and how many pixels changed.
        """
        given = from_json(Click, clicks), from_json(Stroke, strokes)
        result = run(photo, look)
        if label_map is not None:
            result = result.with_label_map(label_map)
        result = segmenter.refine(result, given[0])
        for stroke in given[1]:
            result = result.paint(stroke.mask(result.label_map.shape), stroke.label)
        if save_corrections is not None and result.corrections:
            save_training_example(result, save_corrections)
        return save_overlay(result), save_labels(result), result.to_dict()

    @plain_errors
    @described
    def cutout(
        photo: str | bytes | None,
        classes: list[str],
        options: dict[str, Any] | None = None,
        background: str | bytes | None = None,
        look: SegmentOptions = DEFAULT,
    ) -> str:
        """Cut the named classes out of a photo of a dressed person; everything else becomes transparent.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            classes: One or more of Background, Hat, Hair, Sunglasses, Upper-clothes, Skirt, Pants, Dress, Belt,
                Left-shoe, Right-shoe, Face, Left-leg, Right-leg, Left-arm, Right-arm, Bag, Scarf, or of the groups
                All garments, Upper, Lower, Shoes and accessories, Body.
            options: Options of the cut-out, a JSON object with any of: {cutout_options}. By default, the plain
                cut-out.
            background: A picture to put behind the cut-out.

        Returns:
            A PNG of the photo's size unless cropped, transparent unless there is a background.
        """
        names = _names(classes)
        made = _cutout_options(options, background)
        return save_cutout(run(photo, look), names, made)

    @plain_errors
    @described
    def masks(
        photo: str | bytes | None,
        classes: list[str] | None = None,
        options: dict[str, Any] | None = None,
        look: SegmentOptions = DEFAULT,
    ) -> list[str]:
        """Make black-and-white masks of classes in a photo, for inpainting: white is the class, black is the rest.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            classes: Classes or groups, as for cutout; by default all garments and accessories.
            options: Options, as for cutout; background, crop and margin have no effect: masks have the photo's size.

        Returns:
            A list of grey PNGs of the photo's size: first the mask of all the classes together, whose name ends in
            "-mask-kept.png", then one for each of them that is in the photo, such as "photo-mask-Dress.png".
        """
        names = _names(classes)
        made = _cutout_options(options, None)
        return save_masks(run(photo, look), names, made)

    @plain_errors
    @described
    def tryon(
        photo: str | bytes | None,
        part: str = "upper",
        options: dict[str, Any] | None = None,
        look: SegmentOptions = DEFAULT,
    ) -> tuple[str, str]:
        """Make the inputs of virtual try-on models such as CatVTON, IDM-VTON and OOTDiffusion from a person's photo.

        The mask covers the garment to replace and the skin that a new one may cover; face, hair, hands, shoes,
        accessories and the other garment are protected.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            part: Which garment is replaced: upper, lower or overall.
            options: A JSON object with any of: {tryon_options}.

        Returns:
            The mask, a PNG of the photo's size, white where the model draws; and the photo with that part in grey
            (PNG).
        """
        made = _tryon_options(options, part)
        return save_tryon(run(photo, look), made)

    @plain_errors
    @described
    def recolor(
        photo: str | bytes | None,
        classes: list[str],
        color: str = "",
        look: SegmentOptions = DEFAULT,
    ) -> str:
        """Give garments in a photo another colour; folds, shadows and patterns stay.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            classes: One or more classes or groups, as for cutout.
            color: The new colour, such as "#a03050".

        Returns:
            The photo with the new colour (PNG).
        """
        parse_color(color)
        names = _names(classes)
        result = run(photo, look)
        result.mask(*names)  # rejects a call without a name
        return save_recolored(result, names, color)

    @plain_errors
    @described
    def packshot(
        photo: str | bytes | None,
        classes: list[str] | None = None,
        options: dict[str, Any] | None = None,
        cutout: dict[str, Any] | None = None,
        look: SegmentOptions = DEFAULT,
    ) -> str:
        """Make a picture as shops show articles: the garments of a photo, cut out and centred on a plain background.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            classes: Classes or groups, as for cutout; by default all garments and accessories.
            options: A JSON object with any of: {packshot_options}.
            cutout: Options of the cut-out, as for cutout; its background is a colour, by default white.

        Returns:
            The picture (PNG).
        """
        if options is not None and not isinstance(options, dict):
            raise ConfigError(f"The options of a packshot must be a JSON object, not {options!r}.")
        names = _names(classes)
        shot, made = PackshotOptions.of(options or {}), _cutout_options(cutout, None)
        result = run(photo, look)
        return save_packshot(result, result.mask(*(names or result.labels.garments)), shot, made)

    @plain_errors
    @described
    def items(
        photo: str | bytes | None,
        classes: list[str] | None = None,
        cutouts: bool = False,
        options: dict[str, Any] | None = None,
        look: SegmentOptions = DEFAULT,
        polygons: bool = False,
    ) -> tuple[dict[str, Any], str, str | None]:
        """List the garments and accessories in a photo one by one; two bags are two items.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            classes: Classes to list, as for cutout; by default all garments and accessories.
            cutouts: Also make a ZIP with a cut-out PNG of each item.
            options: Options of these cut-outs, as for cutout.
            polygons: Write polygons in the COCO file, which more tools read, instead of run lengths, which are exact.

        Returns:
            Notes as from segment, the number of items of each class, and for each item its index, class id, name, area
            in pixels, share of the photo (0..1), box [x, y, width, height], mean confidence (0..1), dominant colours
            with names, and wearer (1 is the leftmost person; null unless people is "all"); the same items with masks
            as a COCO data set (JSON file, run lengths or polygons); and the ZIP, or null.
        """
        names = _names(classes)
        made = _cutout_options(options, None)
        result = run(photo, look)
        found = result.items(*names)
        archive = save_items_zip(result, found, made, polygons) if cutouts else None
        return (
            items_to_dict(found, result.name, result.notes, result.labels),
            save_coco(result, found, polygons),
            archive,
        )

    @plain_errors
    @described
    def find(
        photo: str | bytes | None,
        query: str = "",
        options: dict[str, Any] | None = None,
        look: SegmentOptions = DEFAULT,
    ) -> tuple[dict[str, Any], str]:
        """Find garments and body parts in a photo by words, and cut them out. Words are looked up in tables; there is
        no language model.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            query: What to find, in English or German, by class, colour, person, place and size, such as "red dress",
                "black shoes of the person on the left", "everything but the hair" or "largest bag". People are
                separated if it names one.
            options: Options of the cut-out, as for cutout.

        Returns:
            The items found, as from items, with query, ignored (words that were not understood) and notes (sentences
            about them, and whether anything was found); and their cut-out, a PNG of the photo's size unless cropped.
        """
        read = read_query(query, segmenter.labels)
        made = _cutout_options(options, None)
        result = run(photo, read.options(look))
        found = result.find(query)
        notes = (*result.notes, *found.notes)
        listed = items_to_dict(found.items, result.name, notes, result.labels)
        about = {"query": query, "ignored": list(found.ignored)}
        return about | listed, save_cutout_picture(result, result.cutout_mask(found.mask, made))

    @plain_errors
    @described
    def export(
        photo: str | bytes | None,
        format: str,
        classes: list[str] | None = None,
        look: SegmentOptions = DEFAULT,
        polygons: bool = False,
    ) -> str:
        """Write the garments and accessories in a photo in the format of a labelling or training tool, or as outlines.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            format: One of {formats}.
            classes: Classes or groups, as for cutout; by default all garments and accessories.
            polygons: Write polygons in COCO, Label Studio and CVAT files instead of masks, which are exact. The other
                formats have outlines only.

        Returns:
            The file: JSON for coco, labelme and label-studio, text for yolo, XML for cvat and svg, layers for psd.
        """
        names = _names(classes)
        result = run(photo, look)
        return save_format(result, result.items(*names), format, polygons)

    @plain_errors
    @described
    def batch(
        photos: list[str] | None,
        kinds: list[str] | None = None,
        classes: list[str] | None = None,
        options: dict[str, Any] | None = None,
        look: SegmentOptions = DEFAULT,
        polygons: bool = False,
        tryon: dict[str, Any] | None = None,
    ) -> Iterator[tuple[dict[str, Any], str | None]]:
        """Segment many photos, or ZIPs of photos, into one ZIP. Photos that cannot be used are skipped and reported.

        Args:
            photos: Photos and ZIPs of photos, in any mix.
            kinds: Files to write for each photo: labels (PNG), cutouts (PNG), masks (PNGs as from masks), tryon (PNGs
                as from tryon), packshots (PNG), overlays (JPEG), items (JSON list of garments and accessories, as from
                items), coco, label-studio, cvat (annotations of all photos in one file), yolo, labelme, svg, psd (as
                from export). By default the first two.
            classes: Classes or groups to keep in the cut-outs and masks and to list as items, as for cutout. By
                default All garments.
            options: Options of the cut-outs and masks, as for cutout.
            polygons: Write polygons in COCO, Label Studio and CVAT files instead of masks, which are exact.
            tryon: Options of the try-on files, as for tryon, and part.

        Returns:
            Progress, reported again after each photo: done and total, the numbers of photos, and errors, why photos
            could not be used; and at the end the ZIP, with a folder for each kind of file and results.csv.
        """
        made = _cutout_options(options, None)
        written = OutputSpec(
            tuple(kinds or OutputSpec.kinds),
            tuple(_names(classes) or OutputSpec.classes),
            made,
            polygons,
            labels=segmenter.labels,
            tryon=_tryon_options(tryon),
        )
        out = new_path("clothseg.zip")
        report: dict[str, Any] = {"done": 0, "total": 0, "errors": []}
        with closing(segment_to_zip(segmenter, photos or [], out, written, **asdict(look))) as steps:
            for step in steps:
                errors = [*report["errors"], step.error] if step.error else report["errors"]
                report = {"done": step.done, "total": step.total, "errors": errors}
                yield report, None
        yield report, str(out)

    @described
    def labels() -> list[dict[str, Any]]:
        """List the classes of the label map.

        Returns:
            For each class its id (the pixel value), its name, its colour in overlays (#rrggbb), and its groups, such
            as All garments and Body.
        """
        return [
            {
                "id": class_id,
                "name": name,
                "color": segmenter.labels.hex_color(name),
                "groups": [group for group, names in segmenter.labels.groups.items() if name in names],
            }
            for class_id, name in enumerate(segmenter.labels.names)
        ]

    @described
    def health() -> dict[str, Any]:
        """Report whether the app is up, and which model it serves.

        Returns:
            status ("ok", or "loading" while photos wait for the model), model, revision (its commit on the Hub, or
            null), notice (why another model than the requested one is served, or empty), and the network's input size
            [height, width] (null while the model is loading).
        """
        if coming := pending(segmenter):
            return {"status": "loading", "model": coming.asked, "revision": None, "notice": "", "image_size": None}
        return {
            "status": "ok",
            "model": segmenter.name,
            "revision": segmenter.revision,
            "notice": segmenter.notice,
            "image_size": list(segmenter.image_size),
        }

    functions = segment, refine, cutout, masks, tryon, recolor, packshot, items, find, export, batch, labels, health
    return {function.__name__: function for function in functions}


def _cutout_options(options: Any, picture: str | bytes | None) -> CutoutOptions:
    """Return the options of a call, with a picture as background if there is one."""
    if options is None:
        options = {}
    if not isinstance(options, dict):
        raise ConfigError(f"The options of a cut-out must be a JSON object, not {options!r}.")
    if picture is not None:
        options = options | {"background": Path(picture) if isinstance(picture, str) else picture}
    elif not isinstance(options.get("background") or "none", str):
        raise ConfigError(
            'The option background can be "none" or a colour; send a picture as the parameter background.'
        )
    return CutoutOptions.of(options)


def _tryon_options(options: Any, part: str | None = None) -> TryonOptions:
    """Return the options of a call; `part` is that of its own parameter."""
    if options is None:
        options = {}
    if not isinstance(options, dict):
        raise ConfigError(f"The options of a try-on mask must be a JSON object, not {options!r}.")
    return TryonOptions.of({"part": part} | options)
