"""An engine that waits until the test releases it."""

import threading

import numpy as np

from clothseg.engines.base import Engine


class Waiting(Engine):
    """An engine that answers only after `released` is set."""

    def __init__(self) -> None:
        self.entered, self.released = threading.Semaphore(0), threading.Event()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.entered.release()
        self.released.wait(60)
        return np.zeros((len(pixels), 18, pixels.shape[2] // 4, pixels.shape[3] // 4), np.float32)
