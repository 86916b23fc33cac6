"""The same with the classes of the contracts: `pip install aiokafka` and `pip install ./contracts` (or its wheel)."""

import asyncio

from listen import until_stopped

from contracts.dossier import DOSSIERS, DossierAccepted, DossierSubmitted, SupplementRequested
from contracts.payment import PAYMENTS, FeePaid

CHANNELS = (DOSSIERS, PAYMENTS)


def act(kind: str, body: str) -> None:
    """What a system of another agency might do."""
    known = next((found for channel in CHANNELS if (found := channel.event_named(kind))), None)
    match known.model_validate_json(body) if known else None:
        case DossierSubmitted() as event:
            print(f"{event.dossier_code} was sent to {event.receiving_unit}", flush=True)
        case DossierAccepted() as event:
            print(f"{event.dossier_code} is promised for {event.appointment_at}", flush=True)
        case SupplementRequested() as event:
            print(f"{event.dossier_code} needs more by {event.due_at}", flush=True)
        case FeePaid() as event:
            print(f"{event.dossier_code}: {event.amount} đồng were paid", flush=True)
        case _:
            return  # newer types are not for us


if __name__ == "__main__":
    asyncio.run(until_stopped(act))
