"""Replacing a result: the specialist drafts, the leader signs, the clerk numbers, seals and publishes."""

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.auth import OfficerToken
from kit.clock import now
from kit.db import Connection, Database
from kit.files import FilesDep
from kit.http import Db, IfMatch, Later, Router
from kit.problems import VersionConflict
from services.dossier import typesetting
from services.dossier.documents import store as documents
from services.dossier.forms import making
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, Moved, actor, expect, flow_of, moved
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.processing.domain import Dossier, Role
from services.dossier.results import api as steps
from services.dossier.results import domain as results
from services.dossier.results import signing, words
from services.dossier.results import store as result_store
from services.dossier.results.correction import domain, store
from services.dossier.results.correction.domain import Correction
from services.dossier.results.domain import Result, ResultState
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["results"])

Words = Annotated[str, Field(min_length=10, max_length=2000)]


class CorrectionBody(BaseModel):
    """What was wrong, in Vietnamese and without personal data, and what the new document says instead."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Words
    legal_basis: Words
    found: dict[str, str] = Field(default_factory=dict, max_length=50)
    """As in a proposal: what the register says, in place of what is printed now."""


@router.post("/dossiers/{code}/correction")
async def draft_correction(
    code: Code, who: steps.Specialist, body: CorrectionBody, db: Db, later: Later, files: FilesDep, tenant: TenantDep,
    if_match: IfMatch, request: Request, response: Response,
) -> Moved:  # fmt: skip
    """The specialist drafts a document in place of the one that was handed over, which stays in force meanwhile.

    Drafting again replaces the draft, signed or not; what the clerk has numbered goes on as it is.
    """
    dossier, old = await dossiers.read(db, code), await result_store.read(db, code)
    expect(dossier, if_match)
    domain.may(dossier, old, actor(who), Role.SPECIALIST)
    check_words(dossier.facts, body.reason, body.legal_basis)
    procedure, _ = await flow_of(db, dossier, tenant)
    steps.fits(dossier, procedure, body.found)
    form, moment = words.form_of(procedure.result), now()
    url = making.lookup_url(request.app.state.settings, code)
    about = words.facts(form, dossier, procedure, tenant, body.found, url)
    document = await asyncio.to_thread(typesetting.typeset, form.template, about, as_of=moment)
    sha256 = await steps.keep(files, await asyncio.to_thread(signing.add_fields, document))
    draft = Result(code, ResultState.DRAFT, form.document_type, form.symbol, sha256, drafted_at=moment)
    wanted = Correction(code, who.ref, body.reason, body.legal_basis, draft)
    return moved(await _draft(await later.begin(), wanted, who), response)


async def _draft(tx: Connection, wanted: Correction, who: OfficerToken) -> Dossier:
    dossier = await dossiers.lock(tx, wanted.dossier_code)
    domain.may(dossier, await result_store.read(tx, dossier.code), actor(who), Role.SPECIALIST)
    try:
        before = await store.read(tx, dossier.code)
    except domain.CorrectionMissing:
        before = wanted
    if before.document.state is ResultState.NUMBERED:
        raise domain.CorrectionMissing("Bản thay thế đã vào số")
    await store.save(tx, wanted)
    return dossier


@router.post("/dossiers/{code}/correction/signature")
async def sign_correction(
    code: Code, who: steps.Leader, db: Db, later: Later, files: FilesDep, tenant: TenantDep, request: Request,
    response: Response,
) -> Moved:  # fmt: skip
    """The leader decides that the result is replaced, by signing the new document (PAdES)."""
    dossier, was = await dossiers.read(db, code), await store.read(db, code)
    domain.may(dossier, await result_store.read(db, code), actor(who), Role.LEADER)
    if was.document.state is not ResultState.DRAFT and was.document.signer_ref == who.ref:
        return moved(dossier, response)
    domain.may_sign(was, actor(who))
    draft = await files.read(f"clean/{was.document.sha256}")
    sha256 = await steps.keep(
        files, await steps.signed_by_leader(dossier, draft, who, tenant, request.app.state.settings)
    )
    tx = await later.begin()
    dossier = await dossiers.lock(tx, code)
    domain.may(dossier, await result_store.read(tx, code), actor(who), Role.LEADER)
    if await store.read(tx, code) != was:
        raise VersionConflict("Bản thay thế vừa được thay đổi, xin xem lại rồi ký", version=dossier.version)
    await store.save(tx, replace(was, document=results.sign(was.document, actor(who), sha256, now())))
    return moved(dossier, response)


@router.post("/dossiers/{code}/correction/issuance")
async def issue_correction(
    code: Code, who: steps.Clerk, db: Db, later: Later, files: FilesDep, tenant: TenantDep, request: Request,
    response: Response,
) -> Moved:  # fmt: skip
    """The clerk numbers, seals and publishes the new document; in the same moment the old one is replaced.

    The owner is told, and finds both in the document store, the old one as no longer in force.
    """
    numbered = await _numbered(db, code, who)
    dossier, content = await dossiers.read(db, code), await files.read(f"clean/{numbered.document.sha256}")
    sealed = await steps.sealed(db, dossier, numbered.document, content, tenant, request.app.state.settings)
    sha256 = await steps.keep(files, sealed)
    procedure, _ = await flow_of(db, dossier, tenant)
    tx, moment = await later.begin(), now()
    dossier, old = await dossiers.lock(tx, code), await result_store.read(tx, code)
    domain.may(dossier, old, actor(who), Role.CLERK)
    if await store.read(tx, code) != numbered:
        raise VersionConflict(version=dossier.version)
    after, new, event = domain.publish(dossier, old, numbered, procedure.result, actor(who), sha256, moment)
    await store.done(tx, old, numbered, moment)
    await result_store.save(tx, new)
    await documents.revoke_results(tx, code, moment)
    await documents.keep_result(tx, after, new, procedure.result)
    await dossiers.save(tx, after, event)
    return moved(after, response)


async def _numbered(db: Database, code: str, who: OfficerToken) -> Correction:
    """The document with its number, which it keeps whatever happens next: numbers have no gap."""
    async with db.transaction() as tx:
        dossier = await dossiers.lock(tx, code)
        domain.may(dossier, await result_store.read(tx, code), actor(who), Role.CLERK)
        found, moment = await store.read(tx, code), now()
        if found.document.state is ResultState.DRAFT:
            raise domain.CorrectionMissing("Lãnh đạo chưa ký bản thay thế")
        if found.document.number is None:
            year = results.year_of(moment)
            taken = await result_store.next_number(tx, dossier.current_unit, year, found.document.symbol)
            found = domain.number(found, taken, moment)
            await store.save(tx, found)
    return found
