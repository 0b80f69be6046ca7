"""The expressions of a schema's checks, conditions and derived values: a small language, evaluated without `eval`.

Names are field ids. A name that was not stated has no value (None), and everything computed from it has none either:
a comparison with it is neither true nor false. `and`, `or` and `not` follow Kleene: `False and <not stated>` is false.

    bbps_total != bbps_right + bbps_transverse + bbps_left
    extent_reached in ("cecum", "terminal_ileum") and missing(withdrawal_time_min)
    any_row(polyps, size_mm >= 20 and method == "cold_forceps")
    at_least(polyps, 3, histology == "tubular_adenoma")
    filed(colon_resection) or mentioned("hemicolectomy|colectomy")

The functions on a table take the table's name and a condition or a value in which column ids are names, too.
`at_least` and `at_most` count things, not rows: a row with a number in its column `count` holds so many. They know
what rows whose condition is not known leave open: with two polyps of unknown histology, three adenomas are out of the
question, and two are not.
"""

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from endoscribe.procedures.mentions import Mentions
from endoscribe.procedures.mentions import Spoken as Spoken  # noqa: PLC0414  (also known by this name here)
from endoscribe.procedures.phrases import check_phrase

#: A typed value: text, enum value, number, yes/no; a tuple for multi fields; dates and times as ISO 8601 text.
Value = str | int | float | bool | tuple[str, ...]
#: The allowed words of an enum or multi field; None where any value may stand.
AllowedValues = frozenset[str] | None

MAX_EXPRESSION_CHARS = 2000
#: Levels of the parsed tree; far above any rule that a person can read, far below Python's own limit.
MAX_DEPTH = 60


class ExpressionError(ValueError):
    """An expression is not one of this language, or names something that the schema does not have."""


@dataclass(frozen=True)
class Stated:
    """The values that were stated; None or absent is what was not.

    `tables` holds each table of the schema with its rows in order, and each row holds every column. `by_hand` are the
    fields whose values a person has entered and nobody has dictated. `unheard` are the fields, tables and columns
    (`polyps.size_mm`) of which silence tells nothing: nobody listened, or what was said of them was not understood.
    `spoken` are the words of the transcript as far as they are kept: what values rest on, and what stands in no cell.
    """

    fields: Mapping[str, Value | None]
    tables: Mapping[str, Sequence[Mapping[str, Value | None]]] = field(default_factory=dict)
    by_hand: frozenset[str] = frozenset()
    unheard: frozenset[str] = frozenset()
    spoken: tuple[Spoken, ...] = ()


@dataclass(frozen=True)
class Names:
    """What expressions of a schema may name, with the words that enum values may be compared with."""

    fields: Mapping[str, AllowedValues]
    tables: Mapping[str, Mapping[str, AllowedValues]] = field(default_factory=dict)

    def within(self, table: str) -> "Names":
        """The names in a condition on the rows of `table`."""
        return Names({**self.fields, **self.tables[table]}, self.tables)


@dataclass(frozen=True)
class Outcome:
    """What an expression came to; `rows` are the (table, 0-based row) that made an `any_row` true."""

    value: Value | None
    rows: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Expression:
    """A parsed expression; make one with `expression`."""

    text: str
    node: ast.expr

    @property
    def names(self) -> tuple[str, ...]:
        """Every name in it, columns as `polyps.size_mm`, in order of appearance and once each."""
        return tuple(dict.fromkeys(_names(self.node, None)))

    def evaluate(self, stated: Stated, row: Mapping[str, Value | None] | None = None) -> Outcome:
        """Its value over what was stated (and over one table row); None where that depends on what was not stated."""
        evaluator = _Evaluator(stated, row or {})
        return Outcome(evaluator.value_of(self.node), tuple(dict.fromkeys(evaluator.matched)))


@lru_cache(maxsize=4096)
def expression(text: str) -> Expression:
    """Parse; raises ExpressionError with a sentence when the text is not an expression of this language."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(f"an expression has at most {MAX_EXPRESSION_CHARS} characters")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"{text!r} is not an expression") from error
    _refuse_foreign_parts(node)
    return Expression(text, node)


def validate_expression(text: str, names: Names) -> None:
    """Raises ExpressionError for unknown names, tables, functions and enum words, with the nearest known one."""
    _validate(expression(text).node, names)


# -- the functions of the language -----------------------------------------------------------------------------------


def _minutes_between(start: str, end: str) -> float:
    """Minutes from one time of day to another; negative when the end is the earlier."""
    first, last = time.fromisoformat(start), time.fromisoformat(end)
    return (last.hour - first.hour) * 60 + last.minute - first.minute


def _days_between(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def _contains(value: Value, *words: str) -> bool:
    """Whether a text holds one of the words, or a multi field one of the values; case does not matter."""
    if isinstance(value, tuple):
        return any(word in value for word in words)
    text = str(value).casefold()
    return any(str(word).casefold() in text for word in words)


def _how_many(value: Value, *words: str) -> int:
    """How many of the words a multi field holds."""
    return sum(word in value for word in words) if isinstance(value, tuple) else int(value in words)


#: Each gives no value when any of its arguments has none.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "contains": _contains, "days_between": _days_between, "how_many": _how_many, "max": max, "min": min,
    "minutes_between": _minutes_between, "round": round,
}  # fmt: skip
#: Truth values as YAML writes them.
TRUTHS: Mapping[str, bool] = {"true": True, "false": False}
#: Functions that look at whether a value was stated at all.
STATE_FUNCTIONS = frozenset({"stated", "missing", "default"})
#: Whether a cell holds it, and whether words of the transcript name it: neither asks who listened for it.
FILED, MENTIONED = "filed", "mentioned"
ROW_FUNCTIONS = frozenset({
    "any_row", "all_rows", "count_rows", "sum_rows", "max_rows", "min_rows", "at_least", "at_most",
})  # fmt: skip
#: Functions over rows that take a number before the condition.
COUNTING = frozenset({"at_least", "at_most"})
#: The column that says how many things a row holds.
COUNT_COLUMN = "count"
FUNCTION_NAMES = (*FUNCTIONS, *sorted(STATE_FUNCTIONS), FILED, MENTIONED, *sorted(ROW_FUNCTIONS))

_ARGUMENT_COUNTS: Mapping[str, tuple[int, int]] = {
    "abs": (1, 1), "contains": (2, 99), "days_between": (2, 2), "max": (2, 99), "min": (2, 99),
    "minutes_between": (2, 2), "round": (1, 2), "stated": (1, 1), "missing": (1, 1), "default": (2, 2),
    "any_row": (2, 2), "all_rows": (2, 2), "count_rows": (1, 2), "sum_rows": (2, 2), "max_rows": (2, 2),
    "min_rows": (2, 2), "filed": (1, 1), "mentioned": (1, 99),
    "at_least": (3, 3), "at_most": (3, 3), "how_many": (2, 99),
}  # fmt: skip


class _Evaluator(SimpleEval):  # type: ignore[misc]  # simpleeval has no types
    """simpleeval's walk over the tree, with not-stated values and tables; no attributes, subscripts or powers."""

    def __init__(self, stated: Stated, row: Mapping[str, Value | None]) -> None:
        super().__init__(functions={}, names={})
        self.stated = stated
        self.row = row
        self.table: str | None = None
        self.matched: list[tuple[str, int]] = []
        self.nodes = {
            ast.BinOp: self._eval_binop,
            ast.BoolOp: self._eval_boolop,
            ast.Call: self._eval_call,
            ast.Compare: self._eval_compare,
            ast.Constant: self._eval_constant,
            ast.IfExp: self._eval_ifexp,
            ast.List: self._eval_listing,
            ast.Name: self._eval_name,
            ast.Tuple: self._eval_listing,
            ast.UnaryOp: self._eval_unaryop,
        }

    def value_of(self, node: ast.expr) -> Value | None:
        """The value, or None: also where types do not fit, as a text compared with a number, or a division by zero."""
        try:
            value = self._eval(node)
        except (TypeError, ValueError, ArithmeticError, InvalidExpression):
            return None
        unusable = isinstance(value, float) and not math.isfinite(value)
        return None if unusable else value

    def _eval_name(self, node: ast.Name) -> Value | None:
        if node.id in TRUTHS:
            return TRUTHS[node.id]
        if node.id in self.row:
            return self.row[node.id]
        return self.stated.fields.get(node.id)

    def _eval_listing(self, node: ast.Tuple | ast.List) -> tuple[Any, ...]:
        return tuple(self._eval(part) for part in node.elts)

    def _eval_unaryop(self, node: ast.UnaryOp) -> Value | None:
        operand = self._eval(node.operand)
        return None if operand is None else self.operators[type(node.op)](operand)

    def _eval_binop(self, node: ast.BinOp) -> Value | None:
        left, right = self._eval(node.left), self._eval(node.right)
        return None if left is None or right is None else self.operators[type(node.op)](left, right)

    def _eval_compare(self, node: ast.Compare) -> bool | None:
        left, links = self._eval(node.left), []
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._eval(comparator)
            links.append(None if left is None or right is None else self.operators[type(operator)](left, right))
            left = right
        return _all(links)

    def _eval_boolop(self, node: ast.BoolOp) -> bool | None:
        fold = _all if isinstance(node.op, ast.And) else _any
        return fold(self._eval(part) for part in node.values)

    def _eval_ifexp(self, node: ast.IfExp) -> Value | None:
        test = self._eval(node.test)
        return None if test is None else self._eval(node.body if test else node.orelse)

    def _eval_call(self, node: ast.Call) -> Value | None:
        name = _function_name(node)
        if name in ROW_FUNCTIONS:
            return self._over_rows(name, node)
        if name in STATE_FUNCTIONS:
            return self._state(name, node.args)
        if name == FILED:
            return bool(self.stated.tables.get(_table_name(node.args[0]) or "")) or self._eval(node.args[0]) is not None
        if name == MENTIONED:
            return Mentions(self.stated.spoken).first(_phrases(node)) is not None
        arguments = [self._eval(argument) for argument in node.args]
        return None if None in arguments else FUNCTIONS[name](*arguments)

    def _state(self, name: str, arguments: Sequence[ast.expr]) -> Value | None:
        table = _table_name(arguments[0])
        rows = self.stated.tables.get(table) if table else None
        value = self._eval(arguments[0]) if rows is None else (bool(rows) or None)
        if value is None and self._is_unheard(arguments[0]):
            return None
        if name == "default":
            return self._eval(arguments[1]) if value is None else value
        return (value is not None) is (name == "stated")

    def _is_unheard(self, node: ast.expr) -> bool:
        """Whether something that this is computed from is not stated, and its silence tells nothing."""
        return bool(self.stated.unheard) and any(map(self._tells_nothing, _names(node, self.table)))

    def _tells_nothing(self, name: str) -> bool:
        table, _, column = name.rpartition(".")
        if name in self.stated.tables:
            return not self.stated.tables[name] and name in self.stated.unheard
        if table == self.table and column in self.row:
            return self.row[column] is None and name in self.stated.unheard
        if table and column not in self.stated.fields:
            return name in self.stated.unheard
        return self.stated.fields.get(column) is None and column in self.stated.unheard

    def _over_rows(self, name: str, node: ast.Call) -> Value | None:
        table = _table_name(node.args[0]) or ""
        rows = self.stated.tables.get(table, ())
        if not rows and table in self.stated.unheard:
            return None
        if len(node.args) == 1:
            return len(rows)
        if name in COUNTING:
            return self._counted(name, table, *node.args[1:])
        results = [self._in_row(row, node.args[1], table) for row in rows]
        if name == "any_row":
            self.matched += [(table, index) for index, result in enumerate(results) if result]
            return _any(results)
        return _FOLDS[name](results)

    def _counted(self, name: str, table: str, limit: ast.expr, condition: ast.expr) -> bool | None:
        """Whether at least (at most) so many things meet the condition; None where that is open."""
        number = self._eval(limit)
        if not isinstance(number, int | float):
            return None
        surely, possibly = 0.0, 0.0
        for row in self.stated.tables.get(table, ()):
            met = self._in_row(row, condition, table)
            held = row.get(COUNT_COLUMN, 1)
            count = float(held) if isinstance(held, int | float) else None
            surely += (1 if count is None else count) if met else 0
            possibly += 0 if met is False else math.inf if count is None else count
        if name == "at_least":
            return True if surely >= number else False if possibly < number else None
        return True if possibly <= number else False if surely > number else None

    def _in_row(self, row: Mapping[str, Value | None], node: ast.expr, table: str) -> Value | None:
        outer, self.row = self.row, {**self.row, **row}
        outer_table, self.table = self.table, table
        hidden = self.matched  # rows of an inner table would not tell where the check fired
        self.matched = []
        try:
            value: Value | None = self._eval(node)
            return value
        finally:
            self.row, self.table, self.matched = outer, outer_table, hidden


def _all(results: Iterator[Any] | Sequence[Any]) -> bool | None:
    """Kleene's and; the results are walked in order and no further than the first false one."""
    unknown = False
    for result in results:
        if result is None:
            unknown = True
        elif not result:
            return False
    return None if unknown else True


def _any(results: Iterator[Any] | Sequence[Any]) -> bool | None:
    """Kleene's or."""
    unknown = False
    for result in results:
        if result is None:
            unknown = True
        elif result:
            return True
    return None if unknown else False


def _unless_unknown(fold: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    """An empty table was not dictated, which is not the same as none: it has no sum and no largest."""
    return lambda results: None if not results or None in results else fold(results)


_FOLDS: Mapping[str, Callable[[Sequence[Any]], Value | None]] = {
    "all_rows": lambda results: _all(results) if results else None,
    "count_rows": lambda results: None if None in results else sum(bool(result) for result in results),
    "sum_rows": _unless_unknown(sum),
    "max_rows": _unless_unknown(max),
    "min_rows": _unless_unknown(min),
}

# -- what may stand in an expression ---------------------------------------------------------------------------------

_ALLOWED_NODES = (
    ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.IfExp, ast.List, ast.Load, ast.Name, ast.Tuple,
    ast.UnaryOp,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
)  # fmt: skip


def _refuse_foreign_parts(node: ast.AST, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise ExpressionError("an expression cannot be nested so deeply")
    _refuse_foreign(node)
    for name in node._fields:
        held = getattr(node, name)
        for part in held if isinstance(held, list) else (held,):
            if isinstance(part, ast.AST):
                _refuse_foreign_parts(part, depth + 1)


def _refuse_foreign(part: ast.AST) -> None:
    if not isinstance(part, _ALLOWED_NODES):
        raise ExpressionError(f"{type(part).__name__} cannot be used in an expression")
    if isinstance(part, ast.Constant) and (part.value is None or not isinstance(part.value, str | int | float)):
        raise ExpressionError(f"{part.value!r} cannot be used in an expression; use stated() or missing()")
    if isinstance(part, ast.Call):
        _check_call(part)


def _check_call(node: ast.Call) -> None:
    name = _function_name(node)
    if name not in FUNCTION_NAMES:
        raise ExpressionError(f"there is no function {name!r}; {_nearest(name, FUNCTION_NAMES)}")
    least, most = _ARGUMENT_COUNTS[name]
    if node.keywords or not least <= len(node.args) <= most:
        wanted = str(least) if least == most else f"at least {least}" if most == 99 else f"{least} or {most}"
        raise ExpressionError(f"{name}() takes {wanted} argument(s)")
    if name in ROW_FUNCTIONS and _table_name(node.args[0]) is None:
        raise ExpressionError(f"the first argument of {name}() is the name of a table")


def _function_name(node: ast.Call) -> str:
    if not isinstance(node.func, ast.Name):
        raise ExpressionError("only the functions of this language can be called")
    return node.func.id


def _table_name(node: ast.expr) -> str | None:
    """The table that `polyps` or "polyps" names."""
    if isinstance(node, ast.Name):
        return node.id
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _phrases(node: ast.Call) -> tuple[str, ...]:
    return tuple(str(part.value) for part in node.args if isinstance(part, ast.Constant))


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _names(node: ast.expr, table: str | None) -> Iterator[str]:
    """Names that the expression reads; inside a row function they may be columns, so the table's come first."""
    if isinstance(node, ast.Name):
        if node.id not in TRUTHS:
            yield f"{table}.{node.id}" if table else node.id
    elif isinstance(node, ast.Call) and _function_name(node) in ROW_FUNCTIONS:
        inner = _table_name(node.args[0]) or ""
        yield inner
        for argument in node.args[1:]:
            yield from _names(argument, inner)
    elif isinstance(node, ast.Call):
        for argument in node.args:
            yield from _names(argument, table)
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from _names(child, table)


def _validate(node: ast.expr, names: Names) -> None:
    if isinstance(node, ast.Name):
        if node.id not in names.fields and node.id not in TRUTHS:
            raise ExpressionError(f"there is no field {node.id!r}; {_nearest(node.id, tuple(names.fields))}")
    elif isinstance(node, ast.Call):
        _validate_call(node, names)
    else:
        if isinstance(node, ast.Compare):
            _validate_words(node, names)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                _validate(child, names)


def _validate_call(node: ast.Call, names: Names) -> None:
    name = _function_name(node)
    table = _table_name(node.args[0])
    if name == MENTIONED:
        _validate_phrases(node)
        return
    if name in ROW_FUNCTIONS:
        if table is None or table not in names.tables:
            raise ExpressionError(f"there is no table {table!r}; {_nearest(str(table), tuple(names.tables))}")
        for argument in node.args[1:]:
            _validate(argument, names.within(table))
        return
    if name in ("stated", "missing", FILED) and table in names.tables:
        return
    if name in ("contains", "how_many"):
        _validate_choice(node.args[0], node.args[1:], names)
    for argument in node.args:
        _validate(argument, names)


def _validate_phrases(node: ast.Call) -> None:
    """What is looked for in the transcript is written out, in the language of cues."""
    if len(_phrases(node)) < len(node.args):
        raise ExpressionError(f"{MENTIONED}() takes phrases in quotes")
    for phrase in _phrases(node):
        try:
            check_phrase(phrase)
        except ValueError as error:
            raise ExpressionError(str(error)) from error


def _validate_words(node: ast.Compare, names: Names) -> None:
    """A text that an enum field is compared with must be one of its values: a typing error would never fire."""
    sides = [node.left, *node.comparators]
    for left, right in pairwise(sides):
        for one, other in ((left, right), (right, left)):
            others = other.elts if isinstance(other, ast.Tuple | ast.List) else [other]
            _validate_choice(one, others, names)


def _validate_choice(one: ast.expr, others: Sequence[ast.expr], names: Names) -> None:
    words = names.fields.get(one.id) if isinstance(one, ast.Name) else None
    if words is None or not isinstance(one, ast.Name):
        return
    for other in others:
        if isinstance(other, ast.Constant) and other.value not in words:
            raise ExpressionError(f"{one.id} is never {other.value!r}; {_nearest(str(other.value), sorted(words))}")
