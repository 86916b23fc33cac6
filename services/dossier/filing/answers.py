"""The answers of an e-form checked by its JSON Schema, with messages in Vietnamese that name the question."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

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


def check(form: EForm, answers: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with the answers; empty when they may be sent."""
    validator = jsonschema_rs.Draft202012Validator(form.schema, validate_formats=True)
    labels = {field.name: field.label for field in form.fields}
    faults = [
        Fault(f"answers.{name}", rule, MESSAGES.get(rule, OTHERWISE).format(label=labels.get(name, name)))
        for error in validator.iter_errors(dict(answers))
        for rule, name in _where(error)
    ]
    return sorted(faults, key=lambda fault: fault.field)


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
