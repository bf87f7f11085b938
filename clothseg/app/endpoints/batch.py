"""The endpoint for many photos."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

from clothseg.app.downloads import new_path
from clothseg.app.endpoints.inputs import DEFAULT, cutout_options_of, names_of, tryon_options_of
from clothseg.app.mcp import described
from clothseg.app.photo_input import plain_errors
from clothseg.batch.photo_files import OutputSpec
from clothseg.batch.to_zip import segment_to_zip
from clothseg.errors import ConfigError
from clothseg.options import SegmentOptions
from clothseg.outputs.find.reader import read_query
from clothseg.segmenter import Segmenter


def batch_endpoints(segmenter: Segmenter) -> tuple[Callable[..., Any], ...]:
    """Return `/batch`."""

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
        query: str = "",
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
            query: What to keep instead of classes, in words, as for find. Photos without a match get no cut-outs,
                masks, packshots, items or annotations.

        Returns:
            Progress, reported again after each photo: done and total, the numbers of photos, and errors, why photos
            could not be used; with a query also query, ignored (words that were not understood), notes, and matches,
            the photos in which it found something, each with its number of items and missing, the parts of the query
            that nothing in it matches. At the end the ZIP, with a folder for each kind of file and results.csv.
        """
        made, names = cutout_options_of(options, None), names_of(classes)
        if query and names:
            raise ConfigError("query replaces classes: give one of them.")
        written = OutputSpec(
            tuple(kinds or OutputSpec.kinds),
            tuple(names or OutputSpec.classes),
            made,
            polygons,
            labels=segmenter.labels,
            tryon=tryon_options_of(tryon),
            find=query or "",
        )
        out = new_path("clothseg.zip")
        report: dict[str, Any] = {"done": 0, "total": 0, "errors": []}
        if query:
            read = read_query(query, segmenter.labels)
            report |= {"query": query, "ignored": list(read.ignored), "notes": list(read.notes), "matches": []}
        with closing(segment_to_zip(segmenter, photos or [], out, written, **asdict(look))) as steps:
            for step in steps:
                report = report | {"done": step.done, "total": step.total}
                if step.error:
                    report["errors"] = [*report["errors"], step.error]
                if step.found:
                    match = {"photo": step.name, "items": step.found, "missing": list(step.missing)}
                    report["matches"] = [*report["matches"], match]
                yield report, None
        yield report, str(out)

    return (batch,)
