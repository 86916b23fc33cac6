"""What keeps something from being sent: one fault for each field or component, all of them said at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that keeps a draft, or a supplement, from being sent."""

    field: str
    """`answers.copies`, `components.TP-TL-01`, `delivery`."""
    rule: str
    """Stable name: `required`, `missing`, `never_uploaded`, `not_what_it_claims`, `too_large`, `changed`, …"""
    message: str
    """What to do, in Vietnamese."""
