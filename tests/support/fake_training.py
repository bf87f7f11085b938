"""A fake `train_hf.py` with 100 steps per second: it only writes logs and files, and ends after SIGTERM."""

import argparse
import signal
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


parser = argparse.ArgumentParser()
parser.add_argument("--output_dir", type=Path)
parser.add_argument("--max_steps", type=int)
parser.add_argument("--resume_from_checkpoint")
options, _ = parser.parse_known_args()

stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
writer = EventFileWriter(str(options.output_dir / "runs"))
step = 0
while step < options.max_steps and not stopped:
    step += 5
    loss = Summary(value=[Summary.Value(tag="train/loss", simple_value=1.0)])
    writer.add_event(Event(wall_time=1000 + step / 100, step=step, summary=loss))
    writer.flush()
    if step > 30:
        time.sleep(0.05)
if stopped:
    checkpoint = options.output_dir / f"checkpoint-{step}"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text("{}")
    raise SystemExit(128 + signal.SIGTERM)
(options.output_dir / "model").mkdir()
weight = np.full(3, 1.5 if options.resume_from_checkpoint else 1.0, np.float32)
save_file({"weight": weight}, options.output_dir / "model" / "model.safetensors")
