"""Rules that the supervisor of the one-stop desk may let be passed over: once, for one dossier, on record."""

from enum import StrEnum

from contracts.refusal import Refusal


class Rule(StrEnum):
    """The refusals that an exception can be granted from, by the last part of their `type`."""

    REFUSAL_TOO_LATE = "refusal-too-late"
    RESULT_SIGNATURE_MISSING = "result-signature-missing"


class ExceptionGranted(Refusal):
    """There is an exception for this rule already, which nobody has used yet."""

    title = "Đã cho phép ngoại lệ này, chưa được sử dụng"
    title_en = "This exception was granted already and has not been used"
