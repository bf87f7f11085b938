"""Pictures made from a result: cut-outs, masks, packshots, recoloured photos, overlays and label maps."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.images.color_space import to_array
from clothseg.options import CutoutOptions, PackshotOptions, TryonOptions
from clothseg.options.declaration import instance_of
from clothseg.outputs import masks, render
from clothseg.outputs.cutout import refine
from clothseg.outputs.packshot import WHITE
from clothseg.outputs.packshot import packshot as make_packshot
from clothseg.outputs.recolor import parse_color, recolor
from clothseg.outputs.tryon import Tryon, make_tryon
from clothseg.postprocess.corrections import Mask
from clothseg.segmentation.corrections import CorrectedPhoto


class PicturedPhoto(CorrectedPhoto):
    """A result that makes pictures, each with the photo's resolution."""

    def cutout(self, *names: str, options: CutoutOptions | None = None) -> Image.Image:
        """Return a cut-out of the named classes: an RGBA image, or RGB with a background from the options.

        Without options it has the photo's size, and everything else is transparent black. Where the photo is
        transparent, so is the cut-out, in the photo's own colours.

        Raises:
            UnknownClassError: no name, or an unknown one.
        """
        return self.cutout_mask(self.mask(*names), options)

    def cutout_mask(self, mask: Mask, options: CutoutOptions | None = None) -> Image.Image:
        """Return a cut-out of the pixels of a mask (H, W) bool, as `cutout` makes it of classes."""
        made = refine(to_array(self.photo), mask, instance_of(CutoutOptions, options), self.alpha)
        return self._with_dpi(Image.fromarray(made))

    def mask_picture(self, *names: str, options: CutoutOptions | None = None) -> Image.Image:
        """Return a mask of the named classes: a grey image (mode L) of the photo's size, white where `cutout` keeps.

        Args:
            names: classes or groups.
            options: as for `cutout`, except `background`, `crop` and `margin`: `clothseg.outputs.masks`.

        Raises:
            UnknownClassError: no name, or an unknown one.
        """
        return self.picture_of_mask(self.mask(*names), options)

    def picture_of_mask(self, mask: Mask, options: CutoutOptions | None = None) -> Image.Image:
        """Return a mask (H, W) bool as a grey image (mode L), as `mask_picture` makes it of classes."""
        made = masks.mask_levels(to_array(self.photo), mask, instance_of(CutoutOptions, options), self.alpha)
        return self._with_dpi(Image.fromarray(made))

    def mask_pictures(self, *names: str, options: CutoutOptions | None = None) -> dict[str, Image.Image]:
        """Return `mask_picture` of all named classes together, under "kept", and of each of them that is in the photo,
        under its name.

        Args:
            names: classes or groups; by default all garments and accessories.
            options: as for `mask_picture`.

        Raises:
            UnknownClassError: an unknown name.
        """
        kept = self.labels.class_names(names or self.labels.garments)
        return {
            name: self.mask_picture(*(kept if name == masks.KEPT else (name,)), options=options)
            for name in masks.named(kept, self.areas)
        }

    def recolor(self, which: str | Mask | Sequence[str | Mask], color: str) -> Image.Image:
        """Return the photo with garments in another colour, with their folds and shadows.

        Args:
            which: name of a class or group, an (H, W) bool mask, or several of them; each class and each mask takes
                the new colour for itself.
            color: such as "#a03050".

        Returns:
            An RGB image of the photo's size; RGBA if the photo is transparent.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: `color` is no colour.
        """
        parse_color(color)
        made = to_array(self.photo)
        for each in [which] if isinstance(which, str | np.ndarray) else which:
            masks = (
                [each]
                if isinstance(each, np.ndarray)
                else [self.mask(name) for name in self.labels.class_names([each])]
            )
            for mask in masks:
                made = recolor(made, mask, color)
        picture = Image.fromarray(made)
        if self.alpha is not None:
            picture.putalpha(Image.fromarray(self.alpha))
        return self._with_dpi(picture)

    def packshot(
        self, *names: str, packshot: PackshotOptions | None = None, options: CutoutOptions | None = None
    ) -> Image.Image:
        """Return a cut-out of the named classes centred on a plain background, as shops show articles; RGB.

        Args:
            names: classes or groups; by default all garments and accessories.
            packshot: aspect, padding and shadow.
            options: options of the cut-out; its background must be a colour, and is white by default.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: the background is a picture.
        """
        return self.packshot_mask(self.mask(*(names or self.labels.garments)), packshot, options)

    def packshot_mask(
        self, mask: Mask, packshot: PackshotOptions | None = None, options: CutoutOptions | None = None
    ) -> Image.Image:
        """Return a packshot of the pixels of a mask (H, W) bool, as `packshot` makes it of classes."""
        options = instance_of(CutoutOptions, options)
        color = WHITE if options.background == "none" else options.background
        if not isinstance(color, str):
            raise ConfigError("The background of a packshot must be a colour, not a picture.")
        cutout = refine(to_array(self.photo), mask, replace(options, background="none", crop=False), self.alpha)
        return self._with_dpi(Image.fromarray(make_packshot(cutout, instance_of(PackshotOptions, packshot), color)))

    def tryon(self, part: str = "upper", *, options: TryonOptions | None = None) -> Tryon:
        """Return mask and grey picture for virtual try-on models such as CatVTON: `clothseg.outputs.tryon`.

        Args:
            part: which garment is replaced: "upper", "lower" or "overall".
            options: how wide and soft the mask is; their own `part` counts instead of `part`.

        Raises:
            ConfigError: an unknown part.
        """
        options = TryonOptions.of({"part": part}) if options is None else instance_of(TryonOptions, options)
        made = make_tryon(to_array(self.photo), self.label_map, options, self.labels)
        return Tryon(*map(self._with_dpi, made))

    def overlay(self, opacity: float = 0.6) -> Image.Image:
        """Return an RGB image with the palette blended over the photo (on white, if it is transparent), except on
        Background.

        Raises:
            ConfigError: `opacity` is not within 0..1.
        """
        return self._with_dpi(
            Image.fromarray(render.overlay(to_array(self.on_white), self.label_map, opacity, self.labels))
        )

    def label_picture(self, *, grey: bool = False) -> Image.Image:
        """Return the label map as an image whose pixel values are the class ids.

        Args:
            grey: return a grey image (mode L), which looks nearly black, instead of one with a palette (mode P).
                Pillow reads the ids of both; OpenCV, scikit-image and others read a palette as colours.
        """
        return self._with_dpi(
            Image.fromarray(self.label_map) if grey else render.palette_image(self.label_map, self.labels)
        )

    def _with_dpi(self, picture: Image.Image) -> Image.Image:
        if self.dpi is not None:
            picture.info["dpi"] = self.dpi
        return picture
