"""Inference Endpoints handler of a clothes segmentation model. Pushed as `handler.py` by `--endpoint_handler`.

It needs transformers, torch and Pillow alone, which the endpoint's container has, so that no other package must be
installed there. Answers are those of plain transformers: logits are interpolated to the photo's size.
"""

import base64
import binascii
import io
from typing import Any

import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation


class EndpointHandler:
    """Segments photos."""

    def __init__(self, path: str = "") -> None:
        """Load model and image processor from the repository's folder."""
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.processor = AutoImageProcessor.from_pretrained(path)
        self.model = AutoModelForSemanticSegmentation.from_pretrained(path).to(self.device).eval()
        self.names = {int(index): name for index, name in self.model.config.id2label.items()}

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Segment one photo.

        Args:
            data: {"inputs": photo, "parameters": {"classes": ["Dress", ...]}}. The photo is a PIL image, the bytes of
                a file, or such bytes as base64 text, also as a data URL. `classes` are those of the cut-out.

        Returns:
            {"width", "height", "classes": [{"id", "name", "share"}], "label_map"}; "cutout" if there are `classes`;
            pictures are PNG in base64. If the input is wrong: {"error": what is wrong}.
        """
        try:
            parameters = data.get("parameters") or {}
            photo = read_photo(data.get("inputs"))
            wanted = self._ids(parameters.get("classes"))
        except ValueError as error:
            return {"error": str(error)}
        labels = self._segment(photo)
        counts = torch.bincount(labels.flatten(), minlength=len(self.names)).tolist()
        answer: dict[str, Any] = {
            "width": photo.width,
            "height": photo.height,
            "classes": [
                {"id": index, "name": self.names[index], "share": count / labels.numel()}
                for index, count in enumerate(counts)
                if count
            ],
            "label_map": png(Image.fromarray(labels.to(torch.uint8).numpy())),
        }
        if wanted:
            cutout = photo.copy()
            inside = torch.isin(labels, torch.tensor(wanted))
            cutout.putalpha(Image.fromarray(inside.to(torch.uint8).mul(255).numpy()))
            answer["cutout"] = png(cutout)
        return answer

    @torch.inference_mode()
    def _segment(self, photo: Image.Image) -> torch.Tensor:
        """Return the label map (H, W) int64 of a photo."""
        inputs = self.processor(images=photo, return_tensors="pt").to(self.device)
        outputs = self.model(**inputs)
        sizes = [(photo.height, photo.width)]
        found = self.processor.post_process_semantic_segmentation(outputs, target_sizes=sizes)[0]
        return torch.as_tensor(found).long().cpu()

    def _ids(self, classes: Any) -> list[int]:
        if classes is None:
            return []
        classes = [classes] if isinstance(classes, str) else classes
        if not isinstance(classes, list):
            raise ValueError(f"classes must be a list of names, not {classes!r}.")
        ids = {name: index for index, name in self.names.items()}
        unknown = [name for name in classes if name not in ids]
        if unknown:
            raise ValueError(f"Unknown class {unknown[0]!r}; the classes are: {', '.join(ids)}.")
        return [ids[name] for name in classes]


def read_photo(inputs: Any) -> Image.Image:
    """Return the upright RGB photo of a request.

    Raises:
        ValueError: there is none, or it is no photo.
    """
    if isinstance(inputs, str):
        text = inputs.partition(",")[2] if inputs.startswith("data:") else inputs
        try:
            inputs = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError("inputs is text that is not base64; send the photo's bytes in base64.") from error
    if isinstance(inputs, bytes | bytearray):
        try:
            inputs = Image.open(io.BytesIO(inputs))
            inputs.load()
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError("inputs is not a readable image; send JPEG, PNG or WebP.") from error
    if not isinstance(inputs, Image.Image):
        raise ValueError("inputs must be a photo: a file's bytes, base64 text or a PIL image.")
    upright = ImageOps.exif_transpose(inputs)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
    return upright.convert("RGB")


def png(picture: Image.Image) -> str:
    """Return a picture as PNG in base64."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
