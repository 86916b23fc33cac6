"""The answers of an e-form: its JSON Schema, its hidden questions and its cross-checks, in Vietnamese by question."""

from collections.abc import Iterator, Mapping, Set
from types import MappingProxyType
from typing import Any

import jsonschema_rs

from services.dossier.catalogue import expressions
from services.dossier.catalogue.domain import EForm
from services.dossier.faults import Fault

MESSAGES = {
    "required": "Chưa trả lời “{label}”",
    "type": "“{label}” chưa đúng kiểu dữ liệu",
    "enum": "“{label}” phải là một trong các lựa chọn",
    "minLength": "“{label}” quá ngắn",
    "maxLength": "“{label}” quá dài",
    "minimum": "“{label}” nhỏ hơn mức cho phép",
    "maximum": "“{label}” lớn hơn mức cho phép",
    "format": "“{label}” chưa đúng định dạng",
    "pattern": "“{label}” chưa đúng định dạng",
    "additionalProperties": "Tờ khai không hỏi “{label}”",
}
OTHERWISE = "“{label}” chưa đúng"


HIDDEN = "“{label}” không cần trả lời trong trường hợp này, xin bỏ trống"


def check(
    form: EForm, answers: Mapping[str, Any], circumstances: Mapping[str, Any] = MappingProxyType({})
) -> list[Fault]:
    """Everything that is wrong with the answers; empty when they may be sent.

    A question is required only where the other answers lead to it, and must not be answered where they do not. The
    circumstances are those of the catalogue: the day of submission, the channel. A cross-check that reads what is not
    known yet says nothing.
    """
    known = {**answers, **circumstances}
    asked = form.visible(known)
    given = {name: value for name, value in answers.items() if name not in _names(form) - asked}
    faults = [*_hidden(form, answers, asked), *_unfit(form, given, asked)]
    if not faults:
        faults = [*_contradictions(form, form.heard(known))]
    return sorted(faults, key=lambda fault: fault.field)


def _names(form: EForm) -> set[str]:
    return {field.name for field in form.fields}


def _hidden(form: EForm, answers: Mapping[str, Any], asked: Set[str]) -> Iterator[Fault]:
    for field in form.fields:
        if field.name in answers and field.name not in asked:
            yield Fault(f"answers.{field.name}", "hidden", HIDDEN.format(label=field.label))


def _unfit(form: EForm, answers: Mapping[str, Any], asked: Set[str]) -> Iterator[Fault]:
    """What the schema says no to, but for the lack of what is not asked."""
    validator = jsonschema_rs.Draft202012Validator(form.schema, validate_formats=True)
    labels = {field.name: field.label for field in form.fields}
    for error in validator.iter_errors(dict(answers)):
        for rule, name in _where(error):
            if rule != "required" or name in asked:
                message = MESSAGES.get(rule, OTHERWISE).format(label=labels.get(name, name))
                yield Fault(f"answers.{name}", rule, message)


def _contradictions(form: EForm, known: Mapping[str, Any]) -> Iterator[Fault]:
    for each in form.checks:
        is_known = all(known.get(name) is not None for name in expressions.names(each.rule))
        if is_known and not expressions.holds(each.rule, known):
            yield Fault(f"answers.{each.field}", "contradiction", each.message)


def _where(error: jsonschema_rs.ValidationError) -> list[tuple[str, str]]:
    """Which rule of the schema said no to which answers."""
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            return [("required", str(name).strip('"'))]
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
            return [("additionalProperties", str(name)) for name in names]
        case _:
            rule = str(error.schema_path[-1]) if error.schema_path else ""
            return [(rule, ".".join(map(str, error.instance_path)))]
