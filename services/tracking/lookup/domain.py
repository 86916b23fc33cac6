"""How far a dossier has come, and what proves to be its owner."""

import hashlib
import hmac
from dataclasses import dataclass


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


def proves(number: str, key: str, *digests: str | None) -> bool:
    """Whether the number belongs to one of the digests; takes as long when there is nothing to compare."""
    given = digest(number, key)
    matches = [hmac.compare_digest(given, digest or _NO_DIGEST) for digest in digests]
    return any(matches)
