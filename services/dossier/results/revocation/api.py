"""Revoking a result."""

from typing import Annotated

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.auth import OfficerToken, officer
from kit.clock import now
from kit.http import IfMatch, Router, Tx
from services.dossier.documents import store as documents
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, Moved, actor, expect, moved
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.results import store as results
from services.dossier.results.domain import ResultState
from services.dossier.results.revocation import domain, store

router = Router(prefix="/api/v1", tags=["results"])

Leader = Annotated[OfficerToken, Depends(officer("leader"))]
Words = Annotated[str, Field(min_length=10, max_length=2000)]


class RevocationBody(BaseModel):
    """Why the result is no longer in force, in Vietnamese and without personal data."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Words
    legal_basis: Words
    """The legal text that demands or allows it."""


@router.post("/dossiers/{code}/result-revocation")
async def revoke_result(
    code: Code, body: RevocationBody, who: Leader, tx: Tx, if_match: IfMatch, response: Response
) -> Moved:
    """The leader of the unit that decided revokes a result that was handed over, with reason and law.

    The file stays as it was issued. The document store shows it as revoked, dossiers that reuse it are told when they
    are accepted, and the owner is told why. The dossier itself stays returned. Revoking again changes nothing.
    """
    dossier, result = await dossiers.lock(tx, code), await results.read(tx, code)
    if result.state is ResultState.REVOKED and who.unit == dossier.current_unit:
        return moved(dossier, response)
    expect(dossier, if_match)
    check_words(dossier.facts, body.reason, body.legal_basis)
    after, revoked, kept, event = domain.revoke(dossier, result, actor(who), now(), body.reason, body.legal_basis)
    await results.save(tx, revoked)
    await store.remember(tx, kept)
    await documents.revoke_results(tx, code, kept.at)
    await dossiers.save(tx, after, event)
    return moved(after, response)
