"""How far a dossier has come, and what proves to be its owner."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from contracts.identifiers import look_up_number, tax_code
from contracts.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Completion:
    """How far a dossier has come, in the four steps that everybody may know."""

    done: int
    of: int
    label: str


_STEPS = ("Chờ tiếp nhận", "Đang giải quyết", "Đã có kết quả", "Đã kết thúc")
_STEP_OF_STATUS = {1: 1, 6: 1, 5: 1, 2: 2, 4: 2, 9: 3, 3: 4, 7: 4, 8: 4, 10: 4}


def completion(status: int, *, accepted: bool) -> Completion:
    """The degree of completion. An accepted dossier does not fall back when it waits for the citizen."""
    step = max(_STEP_OF_STATUS[status], 2 if accepted else 1)
    return Completion(step, len(_STEPS), _STEPS[step - 1])


def digest(number: str, key: str) -> str:
    """The keyed digest under which identity tells of a number: equal numbers have equal ones."""
    return hmac.new(key.encode(), number.encode(), hashlib.sha256).hexdigest()


_NO_DIGEST = "0" * 64


def digests(typed: str, key: str) -> tuple[str, str]:
    """Of what was typed, read as a person's number and as an organisation's tax code. Both are always made, so that
    what was typed does not show in the time; what is neither has the digest of nothing."""
    return digest(_read(look_up_number, typed), key), digest("mst:" + _read(tax_code, typed), key)


def _read(reader: Callable[[str], str], typed: str) -> str:
    try:
        return reader(typed)
    except Refusal:
        return ""


def proves(typed: str, key: str, *known: str | None) -> bool:
    """Whether what was typed belongs to one of the known digests; takes as long when there is nothing to compare."""
    matches = [hmac.compare_digest(given, one or _NO_DIGEST) for given in digests(typed, key) for one in known]
    return any(matches)
