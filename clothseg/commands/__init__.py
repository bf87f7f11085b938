"""The commands of `python -m clothseg`, one module each, with `HELP`, `add_arguments(parser)` and `run(arguments) ->
int`."""
