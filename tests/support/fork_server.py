"""Runs Python programs in forks of one process that has imported the slow packages: `python fork_server.py SOCKET`.

Importing PyTorch, transformers and Gradio takes 4 to 8 s of CPU time, a fork a few milliseconds. This process only
imports other packages: it loads no model, computes nothing, starts no thread, and never imports clothseg, which each
program imports itself. Tests use it through `forked.py`.

A program gets its own arguments, environment, folder, standard streams and, if requested, session; it receives signals
under its own id. Settings that the Hub's clients and Gradio read from the environment at import are read again, and
the number of threads is set. Other settings that a process reads once at its start are not supported: `-W` and `-X`
flags, sitecustomize.py, MALLOC_ and OMP_ variables. At the end, a program's exit functions run, but the interpreter is
not finalized, which would take 0.4 s of CPU time with all these modules.

The server ends when the last connection is closed.
"""

import atexit
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import types
from contextlib import suppress
from pathlib import Path
from typing import Any


IMPORTED = (
    "torch",
    "transformers.models.segformer.modeling_segformer",
    "transformers.trainer",
    "datasets",
    "gradio",
    "gradio.screen_recording_utils",
    "matplotlib.pyplot",
    "evaluate",
)

SETTINGS = ("huggingface_hub.constants", "datasets.config", "gradio.screen_recording_utils")
"""Modules whose constants are read from the environment when they are imported."""


def serve(listener: socket.socket) -> dict[str, Any]:
    """Answer requests; returns only in a fork, with the request that it must run."""
    connections: set[socket.socket] = set()
    children: dict[int, tuple[int, socket.socket]] = {}  # the process's pidfd -> its id and who asked for it
    served = False
    while connections or not served:
        readable, _, _ = select.select([listener, *connections, *children], [], [], None if served else 60)
        if not readable:
            break
        for source in readable:
            if source is listener:
                connections.add(listener.accept()[0])
                served = True
            elif isinstance(source, socket.socket):
                line, streams, _, _ = socket.recv_fds(source, 65536, 3)
                while line and not line.endswith(b"\n"):
                    line += source.recv(65536)
                if not line:
                    connections.discard(source)
                    source.close()
                    continue
                process = os.fork()
                if not process:
                    for stream, descriptor in enumerate(streams):
                        os.dup2(descriptor, stream)
                    for descriptor in (*streams, *children):
                        os.close(descriptor)
                    for each in (listener, *connections):
                        each.close()
                    return json.loads(line)
                for descriptor in streams:
                    os.close(descriptor)
                children[os.pidfd_open(process)] = process, source
                source.sendall(f"{process}\n".encode())
            else:
                process, asker = children.pop(source)
                os.close(source)
                status = os.waitpid(process, 0)[1]
                if asker in connections:
                    asker.sendall(f"{status}\n".encode())
    sys.exit()


def become(request: dict[str, Any]) -> None:
    """Turn this fork into the requested process."""
    if request["new_session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # read TMPDIR again
    sys.path[0:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=stream is sys.stderr or stream.isatty(), write_through=unbuffered)  # type: ignore[union-attr]
    if threads := os.environ.get("OMP_NUM_THREADS"):
        import torch

        torch.set_num_threads(int(threads))
    read_settings_again()


def read_settings_again() -> None:
    """Read the environment's settings for the Hub's clients and Gradio again, and update copies in other modules."""
    for name in SETTINGS:
        module = sys.modules[name]
        before = dict(vars(module))
        importlib.reload(module)
        changed = [key for key, value in vars(module).items() if key.isupper() and before.get(key, value) != value]
        for other in list(sys.modules.values()):
            for key in changed:
                if key in vars(other) and other is not module and vars(other)[key] == before[key]:
                    setattr(other, key, vars(module)[key])
    from huggingface_hub import constants, hf_api
    from transformers.utils import hub

    hf_api.api.endpoint = constants.ENDPOINT
    hub.HF_MODULES_CACHE = os.getenv("HF_MODULES_CACHE", os.path.join(constants.HF_HOME, "modules"))


def program(arguments: list[str]) -> tuple[types.CodeType, dict[str, Any]]:
    """Code and globals of `python ARGUMENTS...`, installed as the main module."""
    first, rest = arguments[0], arguments[1:]
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    if first == "-m":
        sys.path.insert(0, os.getcwd())
        name, *rest = rest
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
        assert spec is not None and spec.loader is not None and spec.origin is not None, name
        main.__spec__, main.__file__, main.__package__ = spec, spec.origin, spec.parent
        code = spec.loader.get_code(spec.name)  # type: ignore[attr-defined]
        sys.argv = [spec.origin, *rest]
    elif first == "-c":
        sys.path.insert(0, "")
        code = compile(rest[0], "<string>", "exec")
        sys.argv = ["-c", *rest[1:]]
    else:
        sys.path.insert(0, str(Path(first).resolve().parent))
        main.__file__ = first
        code = compile(Path(first).read_bytes(), first, "exec")
        sys.argv = [first, *rest]
    sys.modules["__main__"] = main
    return code, main.__dict__


def run(code: types.CodeType, namespace: dict[str, Any]) -> int:
    """Run a program as Python does, including its exit functions; returns the exit status."""
    status = 0
    try:
        exec(code, namespace)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException as error:
        assert error.__traceback__ is not None
        sys.excepthook(type(error), error, error.__traceback__.tb_next)
        if isinstance(error, KeyboardInterrupt):
            sys.stdout.flush()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    return status


if __name__ == "__main__":
    sys.path.insert(1, str(Path(__file__).parents[2]))
    os.environ.update(importlib.import_module("clothseg.app.environment").GRADIO_DEFAULTS)
    for name in [name for name in sys.modules if name.partition(".")[0] == "clothseg"]:
        del sys.modules[name]
    del sys.path[1]
    for name in IMPORTED:
        importlib.import_module(name)
    assert threading.active_count() == 1, "threads do not survive a fork (BLAS restarts its own)"
    address = sys.argv[1]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen(64)
        os.rename(f"{address}.new", address)
        gc.collect()
        gc.freeze()
        request = serve(listener)
    become(request)
    os._exit(run(*program(request["arguments"])) & 255)
