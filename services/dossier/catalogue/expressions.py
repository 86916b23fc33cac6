"""The little language of the catalogue's files: when a component is needed, a question asked, a fee owed, and how much.

It looks like Python and can do very little, so that whoever writes a procedure can neither break nor reach anything:

- names are answers of the e-form, or circumstances (`channel`, `submitted_on`, …); a name without a value is `None`
- whole numbers, decimals, 'texts', True, False, None, and (lists, like, this) after `in`
- `and or not`, `== != < <= > >=`, `in`, `not in`, `+ - * // %`, `x if condition else y`
- `min(…)`, `max(…)`, `date('2026-07-01')`, `days(a, b)`: days from a to b, `years(a, b)`: full years from a to b,
  `given(x)`: whether there is a value

What was not answered decides nothing: arithmetic with it gives None, a comparison with it is false, and None counts as
false. Values of the wrong type count as not answered, because a draft may hold anything.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

MAX_LENGTH = 500
"""Letters of one expression."""
MAX_NUMBER = 10**15
"""A result beyond it counts as no value: no fee and no period is that large."""

Values = Mapping[str, Any]


class ExpressionInvalid(ValueError):
    """Not an expression of this language; the message says which part is not."""


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """The expression as a tree of known parts; ExpressionInvalid otherwise."""
    if len(text) > MAX_LENGTH:
        raise ExpressionInvalid(f"longer than {MAX_LENGTH} letters: {text[:40]}…")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise ExpressionInvalid(f"not an expression: {text}") from exc
    _check(tree)
    return tree


def evaluate(text: str, values: Values) -> Any:
    """What the expression is worth with these values: a number, text, date, truth value, or None."""
    return _value(parse(text), values)


def holds(text: str, values: Values) -> bool:
    """Whether the expression is true with these values."""
    return bool(evaluate(text, values))


def names(text: str) -> set[str]:
    """The answers and circumstances that the expression reads."""
    functions = {node.func for node in ast.walk(parse(text)) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(parse(text)) if isinstance(node, ast.Name) and node not in functions}


def choices(text: str) -> set[tuple[str, str]]:
    """Which names are compared with which texts, so that a misspelt choice is found before it is used."""
    found = set()
    for node in ast.walk(parse(text)):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
            constants = [part for right in node.comparators for part in ast.walk(right)]
            texts = [each.value for each in constants if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            found |= {(node.left.id, text) for text in texts}
    return found


# ── values ──


def to_date(value: Any) -> date | None:
    """A date, or one as answers have it (`2026-07-01`); None for anything else."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def days(start: Any, end: Any) -> int | None:
    """Days from one date to another."""
    first, last = to_date(start), to_date(end)
    return (last - first).days if first and last else None


def years(start: Any, end: Any) -> int | None:
    """Full years from one date to another: somebody's age on a day."""
    first, last = to_date(start), to_date(end)
    if not first or not last:
        return None
    return last.year - first.year - ((last.month, last.day) < (first.month, first.day))


def _least(*values: Any) -> Any:
    return min(values) if all(_is_number(value) for value in values) else None


def _most(*values: Any) -> Any:
    return max(values) if all(_is_number(value) for value in values) else None


def _given(value: Any) -> bool:
    return value is not None and value not in ("", [])


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int]] = {
    "min": (_least, 0),
    "max": (_most, 0),
    "date": (to_date, 1),
    "days": (days, 2),
    "years": (years, 2),
    "given": (_given, 1),
}
"""By name: the function and how many values it takes; 0 for one or more."""
ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# ── what is allowed ──


def _check(node: ast.expr) -> None:
    if not _is_known(node):
        raise ExpressionInvalid(f"this is not part of the language: {ast.unparse(node)}")
    for part in _parts(node):
        _check(part)


def _is_known(node: ast.expr) -> bool:
    match node:
        case ast.Name() | ast.IfExp() | ast.BoolOp() | ast.Tuple() | ast.List():
            return True
        case ast.Constant(value=value):
            return value is None or isinstance(value, bool | int | float | str)
        case ast.UnaryOp(op=op):
            return isinstance(op, ast.Not | ast.USub)
        case ast.BinOp(op=op):
            return type(op) in ARITHMETIC
        case ast.Compare(ops=ops):
            return all(type(op) in COMPARISONS or isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in ops)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return name in FUNCTIONS and FUNCTIONS[name][1] in (len(args), 0) and len(args) > 0
        case _:
            return False


def _parts(node: ast.expr) -> list[ast.expr]:
    within = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    return [part for part in within if isinstance(part, ast.expr)]


# ── what it is worth ──


def _value(node: ast.expr, values: Values) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values.get(name)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [_value(part, values) for part in parts]
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            return _value(body if _value(test, values) else otherwise, values)
        case ast.BoolOp(op=op, values=parts):
            combine = all if isinstance(op, ast.And) else any
            return combine(_value(part, values) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, values)
        case ast.UnaryOp(operand=operand):
            return _calculated(ast.Sub(), 0, _value(operand, values))
        case ast.BinOp(left=left, op=op, right=right):
            return _calculated(op, _value(left, values), _value(right, values))
        case ast.Compare():
            return _compared(node, values)
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name][0](*(_value(arg, values) for arg in args))
        case _:
            raise ExpressionInvalid(f"this is not part of the language: {ast.unparse(node)}")


def _calculated(op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(left, date) and _is_number(right) and isinstance(op, ast.Add | ast.Sub):
        return _shifted(left, right if isinstance(op, ast.Add) else -right)
    if not _is_number(left) or not _is_number(right):
        return None
    try:
        result = ARITHMETIC[type(op)](left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return result if abs(result) <= MAX_NUMBER else None


def _shifted(day: date, by: float) -> date | None:
    try:
        return day + timedelta(days=by)
    except OverflowError:
        return None


def _compared(node: ast.Compare, values: Values) -> bool:
    left = _value(node.left, values)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = _value(comparator, values)
        if not _compare(op, left, right):
            return False
        left = right
    return True


def _compare(op: ast.cmpop, left: Any, right: Any) -> bool:
    match op:
        case ast.Eq():
            return _same(left, right)
        case ast.NotEq():
            return not _same(left, right)
        case ast.In():
            return isinstance(right, list) and any(_same(left, each) for each in right)
        case ast.NotIn():
            return isinstance(right, list) and not any(_same(left, each) for each in right)
        case _:
            return _ordered(op, left, right)


def _same(left: Any, right: Any) -> bool:
    """Equal and of one kind: the answer True is not the number 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _ordered(op: ast.cmpop, left: Any, right: Any) -> bool:
    if isinstance(left, date) or isinstance(right, date):
        left, right = to_date(left), to_date(right)
    elif not _is_number(left) or not _is_number(right):
        return False
    return left is not None and right is not None and COMPARISONS[type(op)](left, right)
