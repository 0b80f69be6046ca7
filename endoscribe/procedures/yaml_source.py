"""YAML read strictly: no repeated keys, YAML 1.2 booleans, and the line of every key for error messages."""

import re
from pathlib import Path
from typing import Any

import yaml

from endoscribe.errors import SchemaError

Location = tuple[str | int, ...]


class _StrictLoader(yaml.CSafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2: `no` is a word, `10:30` a text, `2024-09-17` a text."""


_StrictLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|", ["~", "n", ""]),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


class YamlSource:
    """One YAML file: its data and where each part of it stands."""

    def __init__(self, path: Path) -> None:
        """Read and parse; raises SchemaError naming file and line when it is not YAML or repeats a key."""
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
            self._root = yaml.compose(text, Loader=_StrictLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise SchemaError(f"{path.name}, line {line}: this is not valid YAML ({error.problem}).") from error
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(f"{path.name} cannot be read as UTF-8 text.") from error
        if not isinstance(self._root, yaml.MappingNode):
            raise SchemaError(f"{path.name}, line 1: a schema file is a mapping of keys to values.")
        _refuse_repeated_keys(path, self._root)
        self.data: dict[str, Any] = _construct(self._root)

    def line(self, location: Location) -> int:
        """The 1-based line of the deepest part of `location` that the file holds."""
        node, line = self._root, 1
        for part in location:
            child = _child(node, part)
            if child is None:
                break
            key, node = child
            line = key.start_mark.line + 1
        return line


def _construct(node: yaml.Node) -> Any:
    loader = _StrictLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _refuse_repeated_keys(path: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise SchemaError(f"{path.name}, line {key.start_mark.line + 1}: the key {key.value!r} stands twice.")
            seen.add(key.value)
            _refuse_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_keys(path, value)
