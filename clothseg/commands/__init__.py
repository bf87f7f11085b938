"""The commands of `python -m clothseg`, a module each: `HELP`, `add_arguments(parser)` and `run(arguments) -> int`."""
