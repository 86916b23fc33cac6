"""The README shows the state machines that the code has."""

import re
from pathlib import Path

from services.payment.domain import TRANSITIONS

README = Path(__file__).parents[2] / "services/payment/README.md"


def drawn() -> str:
    return "\n\n".join(_diagram(machine) for machine in TRANSITIONS)


def _diagram(machine: str) -> str:
    edges = TRANSITIONS[machine]
    (start,) = {before for before, _ in edges} - {after for _, after in edges}
    arrows = [f"    {before} --> {after}: {why}" for (before, after), why in edges.items()]
    return "\n".join([f"**{machine}**", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {start}", *arrows, "```"])


def test_the_readme_shows_the_state_machines_of_the_code() -> None:
    shown = re.search(r"<!-- states:.*?-->\n(.*)\n<!-- /states -->", README.read_text("utf-8"), re.DOTALL)
    assert shown, "the markers are gone"
    assert shown[1].strip() == drawn(), "put the right-hand side between the markers"
