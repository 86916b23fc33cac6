"""What a public service costs: fee lines, shared by the service that prices and the service that collects."""

from typing import Annotated

from pydantic import Field

from contracts.envelope import Part
from contracts.vocabulary import Vocabulary

Dong = Annotated[int, Field(ge=0)]
"""An amount of money in whole đồng (VND). There are no decimals."""


class FeeKind(Vocabulary):
    """What the money is for. Vietnamese law keeps charges and fees apart, and each kind gets its own receipt.

    `phi`: charge for a service (phí). `le_phi`: fee for an administrative act (lệ phí), both under the Law on
    Charges and Fees 97/2015/QH13. `dich_vu`: a service such as postage, never part of the state receipt.
    `khac`: anything else.
    """

    PHI = "phi"
    LE_PHI = "le_phi"
    DICH_VU = "dich_vu"
    KHAC = "khac"


class FeeTiming(Vocabulary):
    """When the applicant has to pay.

    `before_acceptance`: before the desk looks at the dossier. `at_acceptance`: once it is accepted.
    `at_supplement`: with a supplement. `at_result`: before the result is handed over. `none`: nothing is
    owed.
    """

    BEFORE_ACCEPTANCE = "before_acceptance"
    AT_ACCEPTANCE = "at_acceptance"
    AT_SUPPLEMENT = "at_supplement"
    AT_RESULT = "at_result"
    NONE = "none"


class FeeLine(Part):
    """One line of what is owed, priced by the rule in force on the day of submission."""

    kind: FeeKind
    """Charge, fee, service or other."""
    code: str
    """Stable code of the fee in the catalogue, for example `LP-TL`."""
    name: str
    """What is paid for, in Vietnamese, as it is printed on the receipt."""
    unit_price: Dong
    """Price of one unit, in whole đồng."""
    quantity: int = Field(default=1, ge=1)
    """How many units, for example copies."""
    amount: Dong
    """What this line adds to the sum, in whole đồng: unit price × quantity, or 0 when exempt."""
    legal_basis: str | None = None
    """The legal text that sets the price, in Vietnamese."""
    exempt_reason: str | None = None
    """Why nothing is owed although the line applies; null when the line is not exempt."""
