"""The contenders of `benchmarks.inference`, each in its own process, and the model and photos for them."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from clothseg.process_settings import tune


EXAMPLES = Path(__file__).parents[1] / "examples"

STOCK = ("pipeline", "pipeline tuned")
"""transformers' pipeline, unmodified and with our settings."""


class Worker:
    """A contender in its own process: call it with an argument of `build` for (seconds, megabytes added, answer)."""

    def __init__(self, way: str, folder: Path, cores: int | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, way, folder, cores), daemon=True)
        self._process.start()
        theirs.close()  # a worker that dies causes an error instead of an endless wait
        self._pipe.recv()

    def __call__(self, argument: Any, wanted: bool = False) -> tuple[float, float, Any]:
        self._pipe.send((argument, wanted))
        return self._pipe.recv()

    def stop(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()


def _serve(pipe: Any, way: str, folder: Path, cores: int | None) -> None:
    if way == "pipeline":
        os.environ["OMP_WAIT_POLICY"] = "passive"
    else:
        tune()
    if cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
        os.environ["OMP_NUM_THREADS"] = str(cores)
    run = build(way, folder)
    pipe.send("ready")
    while (message := pipe.recv()) is not None:
        argument, wanted = message
        before = _reset_peak()
        started = time.perf_counter()
        answer = run(argument)
        seconds = time.perf_counter() - started
        pipe.send((seconds, _memory("VmHWM") - before, answer if wanted else None))


def _reset_peak() -> float:
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(field: str) -> float:
    """Return the megabytes in a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def build(way: str, folder: Path) -> Callable[[Any], Any]:
    """Return a contender, ready to be called: with a photo's path for its label map, or with an argument of
    `AGAINST_OURSELVES`."""
    import numpy as np

    if way in STOCK:
        from transformers import pipeline
        from transformers.utils import logging

        logging.set_verbosity_error()
        segment = pipeline("image-segmentation", model=str(folder / "b2"), device="cpu", use_fast=False)
        ids = segment.model.config.label2id

        def label_map(path: str) -> Any:
            masks = segment(path)
            result = np.zeros(np.asarray(masks[0]["mask"]).shape, np.uint8)
            for mask in masks:
                result[np.asarray(mask["mask"]) > 0] = ids[mask["label"]]
            return result

        # Users get the masks; the conversion to a label map, for comparison, is not timed.
        return lambda path: label_map(path[1]) if isinstance(path, tuple) else segment(path)
    if way.startswith("train"):
        return _training_step(way == "train folded")

    from clothseg import Segmenter, WorkerPool

    name, kind = way.split(" ", 1)
    model = None if name == "lite" else str(folder / name)
    precision = "fast" if kind.startswith("fast") else "exact"
    kind = kind.removeprefix("fast ")
    crew, kind = kind.startswith("crew "), kind.removeprefix("crew ")
    guided, kind = kind.startswith("guided "), kind.removeprefix("guided ")
    options = {} if guided else {"edges": "plain", "zoom": "off"}  # plain: the pipeline's answer
    segmenter: Any = (
        WorkerPool(None, model, device="cpu", precision=precision)
        if crew
        else Segmenter.from_pretrained(model, device="cpu", precision=precision)
    )
    if kind in ("exact", "fast"):
        return lambda path: segmenter(path[1] if isinstance(path, tuple) else path, **options).label_map
    if kind == "one by one":
        return lambda paths: [segmenter(path, **options).label_map.shape for path in paths]
    if kind == "batch":
        return lambda paths: [result.label_map.shape for result in segmenter.iter_batch(paths, 8, **options)]
    if kind == "batches":
        return lambda job: [result.label_map.shape for result in segmenter.iter_batch(*job, **options)]
    if kind == "folder":
        from clothseg.batch.photo_files import OutputSpec, outcomes
        from clothseg.images.sources import collected

        def labels(paths: list[str]) -> list[str]:
            with collected(map(Path, paths)) as sources:
                return [outcome.error for outcome in outcomes(segmenter, sources, OutputSpec(("labels",)), options)]

        return labels
    pixels = np.zeros((1, 3, *segmenter.image_size), np.float32)
    if kind == "streams":
        return lambda paths: segmenter.engine(np.repeat(pixels, len(paths), axis=0)).shape
    return lambda paths: [segmenter.engine(pixels).shape for _ in paths]


def _training_step(folded: bool) -> Callable[[Any], Any]:
    import torch

    from benchmarks.training_speed import build_step

    torch.manual_seed(0)
    pixels, labels = torch.randn(4, 3, 256, 256), torch.randint(18, (4, 256, 256))
    step = build_step("b2", "tuned" if folded else "plain", pixels, labels, bfloat16=True)
    return lambda _: step.run()


def write_b2(folder: Path, photos: Iterable[Path]) -> None:
    """Save a SegFormer B2 with random weights, all classes of which win somewhere on the photos, and its processor."""
    import numpy as np
    import torch
    from PIL import Image
    from transformers import SegformerImageProcessorPil

    from clothseg.training.model import build_model

    torch.manual_seed(0)
    model = build_model("nvidia/mit-b2", from_scratch=True).eval()
    processor = SegformerImageProcessorPil(size={"height": 512, "width": 512})
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=(1 / parameter[0].numel()) ** 0.5)
        # coarse features decide, since classes would otherwise change from pixel to pixel; the head takes the coarsest
        # first
        head = model.decode_head
        head.linear_fuse.weight[:, 2 * head.linear_fuse.out_channels :] *= 0.02
        images = [np.asarray(Image.open(photo)) for photo in photos]
        logits = model(**processor(images=images, return_tensors="pt")).logits
        spread, classifier = logits.std(dim=(0, 2, 3)), model.decode_head.classifier
        classifier.weight.mul_(3 / spread[:, None, None, None])
        classifier.bias.copy_(-3 * logits.mean(dim=(0, 2, 3)) / spread)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def write_photos(folder: Path, longest: int, pixels: int | None = None) -> list[str]:
    """Write the examples as JPEG files with this longest side, or with this number of pixels in the ratio 3:4."""
    from PIL import Image

    folder.mkdir()
    paths = []
    for source in sorted(EXAMPLES.glob("*.jpg")):
        with Image.open(source) as image:
            scale = longest / max(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            if pixels is not None:
                size = (round((pixels * 3 / 4) ** 0.5), round((pixels * 4 / 3) ** 0.5))
            path = folder / source.name
            image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(path, quality=92)
            paths.append(str(path))
    return paths


def interleave(jobs: list[tuple[Worker, list[Any]]], rounds: int) -> Any:
    """Return the seconds (rounds, jobs); jobs alternate, and a first round is for warming up."""
    import numpy as np

    seconds = np.zeros((rounds + 1, len(jobs)))
    for number in range(rounds + 1):
        for place, (worker, arguments) in enumerate(jobs):
            seconds[number, place] = worker(arguments[number % len(arguments)])[0]
    return seconds[1:]
