"""Our source as it is written: the modules, what each imports and what each defines."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from tests.support.paths import ROOT

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One module; `name` is how it is imported."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"))

    @cached_property
    def imported(self) -> frozenset[str]:
        """Every module that it imports, wherever in it and be it for types only; with `from a import b` also a.b."""
        return frozenset(_imported(self.tree))

    @cached_property
    def packages(self) -> frozenset[str]:
        """The first part of each import."""
        return frozenset(name.partition(".")[0] for name in self.imported)

    def public_names(self) -> Iterator[str]:
        """The classes, functions and constants that it defines for others."""
        for node in self.tree.body:
            yield from (name for name in _defined(node) if not name.startswith("_"))

    def functions(self) -> Iterator[Function]:
        yield from (node for node in ast.walk(self.tree) if isinstance(node, Function))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | Function):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]


@lru_cache
def sources(package: str) -> tuple[Source, ...]:
    """All modules of a package of ours, in order."""
    return tuple(Source(_module(path), path) for path in sorted((ROOT / package).rglob("*.py")))


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
