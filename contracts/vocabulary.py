"""Lists of words that may grow: closed for who publishes, open for who reads."""

from enum import StrEnum
from typing import Any, Self

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Vocabulary(StrEnum):
    """A list of words that is closed today and may grow tomorrow.

    A publisher uses the members (the type checker sees to it). A subscriber built before a word was added
    must go on reading: the unknown word arrives as itself, equal to no member, so `match` falls through to
    `case _`. In the JSON Schemas it is a plain string whose known words stand in `x-extensible-enum`.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_, word._value_ = value, value
        return word

    @property
    def known(self) -> bool:
        """Whether this version of the contracts knows the word."""
        return self.value in type(self)._value2member_map_

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema: dict[str, Any] = handler.resolve_ref_schema(handler(core))
        schema.pop("const", None)
        schema["x-extensible-enum"] = schema.pop("enum", [member.value for member in cls])
        return schema
