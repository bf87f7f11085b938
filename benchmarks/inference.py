"""Photos to label maps: how much quicker than transformers' own pipeline, with the same weights on the same photos.

    python -m benchmarks.inference [--rounds 7] [--cases ...] [--scale docs/scale.png]

Each way is a process of its own, which does nothing while another is timed. Ways take turns, so that other load hits
all alike; the tables give the median of the rounds' ratios and, in brackets, the ratio of the quickest rounds. All
processes have the settings of `clothseg.tuning`, as our commands do. The pipeline is measured twice: as it comes, but
with threads that sleep, for spinning ones would make it several times slower yet beside other load; and with all of
our settings, which make it up to twice as quick.

SegFormer B2 has random weights, levelled so that many classes win somewhere, in patches. That costs the network the
same as trained weights, and our way from logits to labels rather more than a real photo does: borders are everywhere.
Photos are those in examples/, resized to 640 pixels or to 3000 x 4000, as JPEG files. A result is the label map at the
photo's own size, from the file, with plain edges, as the pipeline gives it. Peak memory is what a fresh process adds
for its first large photo, after a small one.

The pipeline makes one mask of each class in place of a label map; equal pixels compare that with ours. Random weights
are sure of nothing, so bfloat16 moves their borders far more than a trained network's.
"""

import argparse
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clothseg.tuning import tune


EXAMPLES = Path(__file__).parents[1] / "examples"

AGAINST_PIPELINE = {
    "B2, 640 px, exact": ("b2 exact", "small", 5.0),
    "B2, 640 px, fast": ("b2 fast", "small", 10.0),
    "B2, 12 megapixels, exact": ("b2 exact", "large", 6.0),
    "clothseg-lite, 640 px, fast": ("lite fast", "small", 25.0),
}
"""Way, photos, and the ratio that we want at least."""

AGAINST_OURSELVES = {
    "B2 training step, 256 px, batch 4, bf16": ("train folded", "train stock", "step", 1.5),
    "clothseg-lite, 64 photos in a batch": ("lite batch", "lite one by one", "many", 1.2),
    "clothseg-lite, 64 photos, of the network's own rate": ("lite batch", "lite network", "many", 0.9),
    "the same with guided edges": ("lite guided", "lite network", "many", 0.9),
    "B2, 16 photos, of the network's own rate": ("b2 batch", "b2 network", "some", 0.9),
}
"""Way, what it is compared with, its argument, and the ratio that we want at least."""


STOCK = ("pipeline", "pipeline tuned")


class Worker:
    """A way in a process of its own: call it with an argument of `build` for (seconds, megabytes added, answer)."""

    def __init__(self, way: str, folder: Path, cores: int | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, way, folder, cores), daemon=True)
        self._process.start()
        theirs.close()  # so that a worker that dies is an error here, not a wait without end
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
    """Megabytes of a line in /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def build(way: str, folder: Path) -> Callable[[Any], Any]:
    """A way, ready to be called: with a photo's path for its label map, or with what `AGAINST_OURSELVES` says."""
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

        # What users get is the masks; ours to compare by is not timed.
        return lambda path: label_map(path[1]) if isinstance(path, tuple) else segment(path)
    if way.startswith("train"):
        return _training_step(way == "train folded")

    from clothseg import Segmenter

    name, kind = way.split(" ", 1)
    model = None if name == "lite" else str(folder / name)
    segmenter = Segmenter.from_pretrained(model, device="cpu", precision="fast" if kind == "fast" else "exact")
    plain = {"edges": "plain", "zoom": "off"}  # what the pipeline gives
    if kind in ("exact", "fast"):
        return lambda path: segmenter(path[1] if isinstance(path, tuple) else path, **plain).label_map
    if kind == "one by one":
        return lambda paths: [segmenter(path, **plain).label_map.shape for path in paths]
    if kind == "batch":
        return lambda paths: [result.label_map.shape for result in segmenter.iter_batch(paths, 8, **plain)]
    if kind == "guided":
        return lambda paths: [result.label_map.shape for result in segmenter.iter_batch(paths, 8)]
    if kind == "batches":
        return lambda job: [result.label_map.shape for result in segmenter.iter_batch(*job, **plain)]
    pixels = np.zeros((1, 3, *segmenter.image_size), np.float32)
    return lambda paths: [segmenter.engine(pixels).shape for _ in paths]


def _training_step(folded: bool) -> Callable[[Any], Any]:
    import torch

    from benchmarks.training_speed import build_step

    torch.manual_seed(0)
    pixels, labels = torch.randn(4, 3, 256, 256), torch.randint(18, (4, 256, 256))
    step = build_step("b2", "tuned" if folded else "plain", pixels, labels, bfloat16=True)
    return lambda _: step.run()


def write_b2(folder: Path, photos: Iterable[Path]) -> None:
    """Save a SegFormer B2 of random weights, all classes of which win somewhere on the photos, and its processor."""
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
        # coarse features decide, or classes would change from pixel to pixel; the head takes the coarsest first
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
    """The examples as JPEG files of this longest side, or of so many pixels in the ratio 3:4."""
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
    """Seconds (rounds, jobs), each job's arguments taken in turn; a round before them warms up."""
    import numpy as np

    seconds = np.zeros((rounds + 1, len(jobs)))
    for number in range(rounds + 1):
        for place, (worker, arguments) in enumerate(jobs):
            seconds[number, place] = worker(arguments[number % len(arguments)])[0]
    return seconds[1:]


def _ratio(stock: Any, ours: Any) -> str:
    import numpy as np

    return f"{np.median(stock / ours):.2f}x ({stock.min() / ours.min():.2f}x)"


def compare_with_pipeline(folder: Path, photos: dict[str, list[str]], rounds: int) -> None:
    """Print the table of `AGAINST_PIPELINE`."""
    ways = {way: Worker(way, folder) for way in STOCK}
    ways |= {way: Worker(way, folder) for way in dict.fromkeys(way for way, _, _ in AGAINST_PIPELINE.values())}
    jobs = {(way, photos_of) for way, photos_of, _ in AGAINST_PIPELINE.values()}
    order = sorted(
        jobs | {(way, photos_of) for way in STOCK for _, photos_of in jobs}, key=lambda job: (job[1], job[0])
    )
    taken = interleave([(ways[way], photos[photos_of]) for way, photos_of in order], rounds)
    columns = {job: taken[:, place] for place, job in enumerate(order)}

    print("| case | pipeline with B2 | ours | ratio | wanted | ratio to it with our settings | equal pixels, least |")
    print("|---|---|---|---|---|---|---|")
    for case, (way, photos_of, wanted) in AGAINST_PIPELINE.items():
        stock, tuned, ours = (columns[name, photos_of] for name in (*STOCK, way))
        equal = "other weights" if way.startswith("lite") else f"{_equal(ways['pipeline'], ways[way], photos):.6f}"
        milliseconds = [f"{1000 * seconds.min():.0f} ms" for seconds in (stock, ours)]
        ratios = f"{_ratio(stock, ours)} | {wanted:g}x | {_ratio(tuned, ours)}"
        print(f"| {case} | {' | '.join(milliseconds)} | {ratios} | {equal} |", flush=True)
    for worker in ways.values():
        worker.stop()

    peaks = {}
    for way in ("pipeline", "b2 exact"):
        worker = Worker(way, folder)
        worker(photos["small"][0])
        peaks[way] = worker(photos["large"][0])[1]
        worker.stop()
    share = peaks["b2 exact"] / peaks["pipeline"]
    print(f"| the same, extra peak memory | {peaks['pipeline']:.0f} MB | {peaks['b2 exact']:.0f} MB | ", end="")
    print(f"{share:.2f} of it | 0.25 | | |\n", flush=True)


def _equal(pipeline: Worker, ours: Worker, photos: dict[str, list[str]]) -> float:
    return min(
        float((pipeline(("map", path), True)[2] == ours(("map", path), True)[2]).mean()) for path in photos["small"]
    )


def compare_with_ourselves(folder: Path, photos: dict[str, list[str]], rounds: int) -> None:
    """Print the table of `AGAINST_OURSELVES`."""
    arguments = {"step": [None], "many": [photos["small"] * 16], "some": [photos["small"] * 4]}
    print("| case | against | takes | ours | ratio | wanted |")
    print("|---|---|---|---|---|---|")
    for case, (way, against, argument, wanted) in AGAINST_OURSELVES.items():
        pair = [Worker(against, folder), Worker(way, folder)]
        stock, ours = interleave([(worker, arguments[argument]) for worker in pair], rounds).T
        count = len(arguments[argument][0] or [None])
        each = [f"{1000 * seconds.min() / count:.1f} ms" for seconds in (stock, ours)]
        print(f"| {case} | {against} | {' | '.join(each)} | {_ratio(stock, ours)} | {wanted:g}x |", flush=True)
        for worker in pair:
            worker.stop()
    print()


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="*", choices=["pipeline", "ourselves"], default=["pipeline", "ourselves"])
    parser.add_argument("--scale", help="also measure cost against photo size, batch and cores; the plot's file")
    arguments = parser.parse_args(argv)
    tune()
    cores = len(os.sched_getaffinity(0))
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "openvino"))
    print(f"{_processor()}, {cores} cores, {platform.python_implementation()} {platform.python_version()}; {versions}")
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {arguments.rounds} rounds, seed 0\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = {"small": write_photos(folder / "small", 640), "large": write_photos(folder / "large", 0, 12_000_000)}
        write_b2(folder / "b2", map(Path, photos["small"]))
        if "pipeline" in arguments.cases:
            compare_with_pipeline(folder, photos, arguments.rounds)
        if "ourselves" in arguments.cases:
            compare_with_ourselves(folder, photos, arguments.rounds)
        if arguments.scale:
            from benchmarks.scale import measure_scale

            measure_scale(folder, Path(arguments.scale), arguments.rounds)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")


if __name__ == "__main__":
    main()
