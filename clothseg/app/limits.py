"""Limits of what the app accepts, computes at the same time, and keeps."""

KEEP_SECONDS = 3600
"""Photos, files and a session's result are deleted after this time."""

MAX_FILE_BYTES = 25 * 2**20
"""Size of a photo."""

MAX_UPLOAD_BYTES = 256 * 2**20
"""Size of any file: ZIPs hold many photos."""

MODEL_QUEUE = "model"
"""Concurrency id of all events that run the network on one photo, so that they take turns."""

MODEL_LIMIT = 2
"""Events of `MODEL_QUEUE` at the same time: one decodes or encodes while the network computes the other."""

BATCH_QUEUE = "batch"
"""Concurrency id of batches: one at a time, beside single photos."""
