"""Endpoints that make pictures of a photo: cut-outs, masks, try-on inputs, other colours, packshots."""

from collections.abc import Callable
from typing import Any

from clothseg.app.downloads import save_cutout, save_masks, save_packshot, save_recolored, save_tryon
from clothseg.app.endpoints.inputs import (
    DEFAULT,
    Run,
    cutout_options_of,
    names_of,
    packshot_options_of,
    tryon_options_of,
)
from clothseg.app.mcp import described
from clothseg.app.photo_input import plain_errors
from clothseg.options import SegmentOptions
from clothseg.outputs.recolor import parse_color


def picture_endpoints(run: Run) -> tuple[Callable[..., Any], ...]:
    """Return `/cutout`, `/masks`, `/tryon`, `/recolor` and `/packshot`; `run` segments a photo."""

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
        names = names_of(classes)
        made = cutout_options_of(options, background)
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
        names = names_of(classes)
        made = cutout_options_of(options, None)
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
        made = tryon_options_of(options, part)
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
        names = names_of(classes)
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
        names = names_of(classes)
        shot, made = packshot_options_of(options), cutout_options_of(cutout, None)
        result = run(photo, look)
        return save_packshot(result, result.mask(*(names or result.labels.garments)), shot, made)

    return cutout, masks, tryon, recolor, packshot
