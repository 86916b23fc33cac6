"""How a rule says no: the base of every refusal, so that each has one stable public name."""

import re
from typing import Any, ClassVar


class Refusal(Exception):
    """A rule said no, and nothing was changed.

    Subclasses are named after the rule (`SupplementWithoutComponent`). HTTP answers it as an RFC 9457 problem
    whose `type` is made from the class name and never changes; `title` is Vietnamese, `title_en` its English
    twin. `detail` says what to do in this case; `extra` becomes members of the problem (never personal data).
    """

    status: ClassVar[int] = 409
    title: ClassVar[str]
    title_en: ClassVar[str]

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.extra = extra

    @classmethod
    def type(cls) -> str:
        """The stable name: `urn:motcua:problem:supplement-without-component`."""
        return "urn:motcua:problem:" + re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
