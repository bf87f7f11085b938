"""Watch folders for new and changed photos.

Folders are listed every second instead of using the system's notifications (as the package watchfiles does): network
shares and mounted volumes send none, and only repeated checks tell whether a file is complete.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from clothseg.images.sources import Source


PAUSE = 1.0
"""Seconds between two looks. A photo whose size and time are equal in both counts as completely written."""


def changes(
    scan: Callable[[], Sequence[Source]], pause: float = PAUSE, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[list[Source], list[Source]]]:
    """Yield all photos, and those that are new or changed and completely written; the second list may be empty.

    Each state of a photo is yielded once.

    Args:
        scan: lists the photos, each with its stamp (size and time).
        pause: seconds to wait between two scans.
        sleep: waits.
    """
    before: dict[PurePosixPath, tuple[int, ...]] = {}
    known: dict[PurePosixPath, tuple[PurePosixPath, tuple[int, ...]]] = {}
    while True:
        photos = list(scan())
        fresh = [
            photo
            for photo in photos
            if before.get(photo.name) == photo.stamp and known.get(photo.name) != (photo.files, photo.stamp)
        ]
        before = {photo.name: photo.stamp for photo in photos}
        known |= {photo.name: (photo.files, photo.stamp) for photo in fresh}
        yield photos, fresh
        sleep(pause)
