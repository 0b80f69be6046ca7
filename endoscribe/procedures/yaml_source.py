"""YAML read strictly: no repeated keys, YAML 1.2 booleans, and the line of every key for error messages."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from endoscribe.errors import SchemaError

Location = tuple[str | int, ...]


_TAG = "tag:yaml.org,2002:"
#: Scalars that are not text, as YAML 1.2 writes them, by the characters with which they may begin.
_NUMBER = ((f"{_TAG}int", re.compile(r"[-+]?[0-9]+")),
           (f"{_TAG}float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")))  # fmt: skip
_BOOL = ((f"{_TAG}bool", re.compile(r"true|false")),)
_NULL = ((f"{_TAG}null", re.compile(r"~|null|")),)
_PLAIN = dict.fromkeys("-+.0123456789", _NUMBER) | dict.fromkeys("tf", _BOOL) | dict.fromkeys(("~", "n", ""), _NULL)
_TEXT = f"{_TAG}str"


class _StrictLoader(yaml.CSafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2: `no` is a word, `10:30` a text, `2024-09-17` a text."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
        """The tag of a node that names none; called for every node, so that it does no more than it must."""
        if kind is not yaml.ScalarNode:
            return f"{_TAG}seq" if kind is yaml.SequenceNode else f"{_TAG}map"
        forms = _PLAIN.get(value[:1]) if implicit[0] else None
        if forms is None:
            return _TEXT
        return next((tag for tag, form in forms if form.fullmatch(value)), _TEXT)

    def descend_resolver(self, current_node: object, current_index: object) -> None:
        """Tags do not depend on the path here."""

    def ascend_resolver(self) -> None:
        """Nor here."""


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
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SchemaError(f"{path.name} cannot be read as UTF-8 text.") from error
        except RecursionError:
            raise SchemaError(f"{path.name} is nested too deeply.") from None
        if not isinstance(self._root, yaml.MappingNode):
            raise SchemaError(f"{path.name}, line 1: a schema file is a mapping of keys to values.")
        try:
            self.data: dict[str, Any] = _Construction(path.name).value_of(self._root)
        except RecursionError:
            raise SchemaError(f"{path.name} is nested too deeply.") from None

    def line(self, location: Location) -> int:
        """The 1-based line of the deepest part of `location` that the file holds."""
        return self._deepest(location)[1]

    def depth(self, location: Location) -> int:
        """How many parts of `location` the file holds."""
        return self._deepest(location)[0]

    def _deepest(self, location: Location) -> tuple[int, int]:
        node, depth, line = self._root, 0, 1
        for part in location:
            child = _child(node, part)
            if child is None:
                break
            key, node = child
            depth, line = depth + 1, key.start_mark.line + 1
        return depth, line


class _Construction:
    """Nodes to data in one walk; keys are text as written, and what an alias names is made once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._made: dict[int, Any] = {}
        self._open: set[int] = set()

    def value_of(self, node: yaml.Node) -> Any:
        """Raises SchemaError for a repeated key, an alias of itself, and tags that YAML files here do not have."""
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        known = id(node)
        if known not in self._made:
            if known in self._open:
                raise self._fault(node, "this alias holds itself")
            self._open.add(known)
            is_mapping = isinstance(node, yaml.MappingNode)
            self._made[known] = self._mapping(node) if is_mapping else [self.value_of(each) for each in node.value]
            self._open.discard(known)
        return self._made[known]

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._fault(key, "a key is a word")
            if key.value in made:
                raise self._fault(key, f"the key {key.value!r} stands twice")
            made[key.value] = self.value_of(value)
        return made

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            return _SCALARS[node.tag](node.value)
        except (KeyError, ValueError) as error:
            raise self._fault(node, f"{node.value!r} cannot be read") from error

    def _fault(self, node: yaml.Node, problem: str) -> SchemaError:
        return SchemaError(f"{self._file}, line {node.start_mark.line + 1}: {problem}.")


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:null": lambda _: None,
}


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
