"""Error and time of cut-outs with a known foreground, compared with pymatting (pip install pymatting==1.1.16).

    python -m benchmarks.cutouts

A red disc with a soft edge before a noisy blue wall, 2 megapixels, seed 0; errors are means over the edge, in steps of
255. pymatting compiles itself at its first import, so the time of the import is measured in this process and depends
on pymatting's cache.
"""

import time

import numpy as np

from clothseg.outputs.matting import foreground, soft_alpha


def main() -> None:
    """Print a line for each method."""
    rows, columns = np.mgrid[:1600, :1250]
    alpha = (np.clip(500.5 - np.hypot(rows - 800, columns - 625), -2, 2) / 4 + 0.5).astype(np.float32)
    colour, share = np.array([200, 40, 50]), alpha[..., None]
    wall = np.random.default_rng(0).normal((40, 60, 200), 6, (*alpha.shape, 3))
    photo = (share * colour + (1 - share) * wall).clip(0, 255).astype(np.uint8)
    edge = (alpha > 0.1) & (alpha < 0.9)

    start = time.perf_counter()
    from pymatting import estimate_foreground_ml

    print(f"import of pymatting: {time.perf_counter() - start:.1f} s\n")
    ways = {
        "the photo's own colours": lambda: photo,
        "clothseg.outputs.matting.foreground": lambda: foreground(photo, alpha),
        "pymatting.estimate_foreground_ml": lambda: estimate_foreground_ml(photo / 255, alpha) * 255,
    }
    print("| foreground | error | s |\n|---|---|---|")
    for name, way in ways.items():
        way()
        start = time.perf_counter()
        made = way()
        print(f"| {name} | {np.abs(made[edge] - colour).mean():.1f} | {time.perf_counter() - start:.2f} |")
    start = time.perf_counter()
    soft = soft_alpha(photo, alpha > 0.5)
    seconds = time.perf_counter() - start
    errors = [255 * np.abs(each - alpha)[edge].mean() for each in (alpha > 0.5, soft)]
    print(f"\nsoft_alpha: error {errors[0]:.0f} of the hard mask, {errors[1]:.0f} of the soft, in {seconds:.2f} s")


if __name__ == "__main__":
    main()
