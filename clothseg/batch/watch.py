"""Watch folders for new and changed photos.

By looking again each second, not by the system's notices (such as the package watchfiles): these do not come from
network shares and mounted volumes, where shops' photos often lie, and whether a file is complete can only be told by
looking at it again anyway.
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
