"""Endpoints for single garments and accessories: lists, search by words, annotations."""

from collections.abc import Callable
from typing import Any

from clothseg.app.downloads import save_coco, save_cutout_picture, save_format, save_items_zip
from clothseg.app.endpoints.inputs import DEFAULT, Run, cutout_options_of, names_of
from clothseg.app.mcp import described
from clothseg.app.photo_input import plain_errors
from clothseg.options import SegmentOptions
from clothseg.outputs.find.reader import read_query
from clothseg.outputs.items import items_to_dict
from clothseg.segmenter import Segmenter


def item_endpoints(run: Run, segmenter: Segmenter) -> tuple[Callable[..., Any], ...]:
    """Return `/items`, `/find` and `/export`; `run` segments a photo with the model `segmenter`."""

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
        names = names_of(classes)
        made = cutout_options_of(options, None)
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
            The items found, as from items, with query, missing (parts of the query that nothing in the photo matches),
            ignored (words that were not understood) and notes (sentences about both); and their cut-out, a PNG of the
            photo's size unless cropped.
        """
        read = read_query(query, segmenter.labels)
        made = cutout_options_of(options, None)
        result = run(photo, read.options(look))
        found = result.find(query)
        notes = (*result.notes, *found.notes)
        listed = items_to_dict(found.items, result.name, notes, result.labels)
        about = {"query": query, "missing": list(found.missing), "ignored": list(found.ignored)}
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
        names = names_of(classes)
        result = run(photo, look)
        return save_format(result, result.items(*names), format, polygons)

    return items, find, export
