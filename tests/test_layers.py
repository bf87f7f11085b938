"""The package's layers: imports go one way, there are no cycles, and nothing below the app imports Gradio."""

import ast
import re
from functools import cache
from pathlib import Path

import clothseg


PACKAGE = Path(clothseg.__file__).parent

BELOW = {
    "errors": (),
    "labels": ("errors",),
    "process_settings": (),
    "pipelining": (),
    "pickling": ("errors",),
    "images": ("errors",),
    "options": ("errors", "labels", "images"),
    "models": ("errors", "labels", "images"),
    "engines": ("errors", "labels", "images", "models"),
    "postprocess": ("errors", "labels", "options", "images", "engines"),
    "outputs": ("errors", "labels", "options", "images", "postprocess"),
    "segmentation": ("errors", "labels", "options", "images", "postprocess", "outputs"),
    "segmenter": (
        *("errors", "labels", "options", "pickling", "pipelining", "images", "models", "engines", "postprocess"),
        "segmentation",
    ),
    "self_check": ("errors", "models", "engines", "segmenter"),
}
"""Folder or top-level module -> parts of the package that it may import."""

LIBRARY = (*BELOW, "outputs")

BELOW |= {
    "batch": (*LIBRARY, "batch"),
    "video": LIBRARY,
    "training": LIBRARY,
    "app": (*LIBRARY, "batch", "video"),
    "commands": (*LIBRARY, "batch", "video", "training", "app"),
    "cli": ("errors", "images", "commands", "process_settings"),
    "__main__": ("cli", "process_settings", "errors"),
}


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """Modules of the package that a module imports, at its top or within functions, except for type checking."""
    known = modules()
    tree = ast.parse(known[module].read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in known else node.module for name in names}
        if isinstance(node, ast.Import) and id(node) not in for_types:
            found |= {alias.name for alias in node.names}
    return frozenset(name for name in found if name in known and name != "clothseg")


def part_of(module: str) -> str:
    return module.split(".")[1]


def test_modules_import_only_from_lower_layers() -> None:
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if module != "clothseg"
        for other in imports(module)
        if part_of(other) != part_of(module) and part_of(other) not in BELOW[part_of(module)]
    ]
    assert not wrong


def test_package_has_no_import_cycles() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for other in sorted(imports(module)):
                visit(other, (*path, module))
            done.add(module)

    for module in modules():
        visit(module, ())


def test_package_has_at_most_12_top_level_modules() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 12


def test_only_the_app_imports_gradio() -> None:
    for name, path in modules().items():
        if name.startswith("clothseg.app"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [each for each in named if each.split(".")[0] in ("gradio", "gradio_client")], name


def test_every_module_has_a_test_file_or_is_named_in_one() -> None:
    tests = PACKAGE.parent / "tests"
    texts = {path: path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py")}
    untested = []
    for module, path in modules().items():
        place = path.relative_to(PACKAGE)
        if path.name.startswith("__") or (tests / place.parent / f"test_{place.name}").exists():
            continue
        parent, _, name = module.rpartition(".")
        named = re.compile(rf"{re.escape(module)}\b|from {re.escape(parent)} import [^\n]*\b{name}\b")
        if not any(named.search(text) for text in texts.values()):
            untested.append(module)
    assert not untested
