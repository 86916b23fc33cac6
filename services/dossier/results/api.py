"""The result's way: proposal, leader's signature, number and seal, hand-over; and getting it.

Whatever computes or talks to the object store comes first; the one transaction that changes the dossier comes last and
checks again under the row's lock. Called again after a crash or by a doubled click, each act answers with what is.
"""

import asyncio
import hashlib
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import SignatureStatus
from kit.auth import Caller, OfficerToken, officer, recent
from kit.clock import now
from kit.db import Connection, Database
from kit.files import Files, FilesDep
from kit.http import Db, IfMatch, Later, Router, etag
from kit.problems import VersionConflict
from services.dossier import typesetting
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Procedure
from services.dossier.clocks.acts import follow_step
from services.dossier.documents import store as documents
from services.dossier.filing import answers
from services.dossier.filing.domain import DraftIncomplete
from services.dossier.forms import making
from services.dossier.forms.words import place_and_date
from services.dossier.history import store as history
from services.dossier.history.domain import with_head
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, Link, Moved, actor, expect, flow_of, moved, readable
from services.dossier.processing.domain import Dossier, State
from services.dossier.processing.work import domain as work
from services.dossier.processing.workflow.domain import Flow
from services.dossier.results import domain, signing, store, uploads, words
from services.dossier.results.domain import Result, ResultState
from services.dossier.results.handover.store import handed_over
from services.dossier.results.keys import Keys
from services.dossier.results.revocation.domain import ResultNoLongerInForce
from services.dossier.results.signing import Check
from services.dossier.settings import Settings
from services.dossier.tenant import Tenant, TenantDep

log = structlog.get_logger()

router = Router(prefix="/api/v1", tags=["results"])

Specialist = Annotated[OfficerToken, Depends(officer("specialist"))]
Leader = Annotated[OfficerToken, Depends(officer("leader"))]
Clerk = Annotated[OfficerToken, Depends(officer("clerk"))]

PDF = "application/pdf"


class Signature(BaseModel):
    """How the leader signed."""

    model_config = ConfigDict(extra="forbid")

    on_paper: bool = False
    """Signed with a pen because signing digitally was not possible. The signed file has to follow before the result is
    handed over; until then the specialist is asked for it."""


class Proposal(BaseModel):
    """What the specialist found in the register, where it adds to or corrects what the applicant wrote."""

    model_config = ConfigDict(extra="forbid")

    found: dict[str, str] = Field(default_factory=dict, max_length=50)
    upload_id: UUID | None = None
    """A result that was written elsewhere, as a PDF sent by `result-uploads`; a page for signatures follows it."""
    refusal: str | None = Field(
        None, min_length=1, max_length=2000,
        description="Why to refuse, in Vietnamese: then a refusal is proposed, and no result is drafted.",
    )  # fmt: skip


async def keep(files: Files, pdf: bytes) -> str:
    """Store the file under its SHA-256; the name. Storing it again changes nothing."""
    digest = _digest(pdf)
    await files.put(f"clean/{digest}", pdf, PDF)
    return digest


def _digest(pdf: bytes) -> str:
    return hashlib.sha256(pdf).hexdigest()


# ── proposal ──────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/dossiers/{code}/proposal")
async def propose_result(
    code: Code, who: Specialist, db: Db, later: Later, files: FilesDep, tenant: TenantDep, if_match: IfMatch,
    request: Request, response: Response, body: Proposal | None = None,
) -> Moved:  # fmt: skip
    """The specialist drafts the result, or proposes to refuse, and lays it before the division head or the leader."""
    dossier = await dossiers.read(db, code)
    if dossier.state is State.PENDING_APPROVAL and dossier.proposer_ref == who.ref:
        return moved(dossier, response)
    expect(dossier, if_match)
    procedure, flow = await flow_of(db, dossier, tenant)
    refusal = body.refusal if body else None
    work.propose(dossier, actor(who), now(), flow, refusal=refusal)  # refuse before the effort
    if refusal:
        return moved(await _propose(await later.begin(), dossier, None, who, flow, refusal), response)
    found = body.found if body else {}
    fits(dossier, procedure, found)
    form, moment = words.form_of(procedure.result), now()
    url = making.lookup_url(request.app.state.settings, code)
    if body and body.upload_id:
        own = await uploads.written_elsewhere(db, files, code, body.upload_id)
        about = words.sheet(dossier, procedure, tenant, url, pages=signing.pages_of(own), sha256=_digest(own))
        template = words.SHEET
    else:
        own, about = b"", words.facts(form, dossier, procedure, tenant, found, url)
        template = form.template
    document = await asyncio.to_thread(typesetting.typeset, template, about, as_of=moment)
    sha256 = await keep(files, await asyncio.to_thread(signing.add_fields, document, after=own))
    result = Result(code, ResultState.DRAFT, form.document_type, form.symbol, sha256, drafted_at=moment)
    return moved(await _propose(await later.begin(), dossier, result, who, flow), response)


def fits(dossier: Dossier, procedure: Procedure, found: dict[str, str]) -> None:
    """What the specialist found answers the same questions by the same rules."""
    eform = procedure.eform_of(procedure.case(dossier.facts.case))
    if found and (faults := answers.check(eform, {**dossier.facts.answers, **found}) if eform else ()):
        raise DraftIncomplete(faults)


async def _propose(
    tx: Connection, seen: Dossier, result: Result | None, who: OfficerToken, flow: Flow, refusal: str | None = None
) -> Dossier:
    dossier = await dossiers.lock(tx, seen.code)
    expect(dossier, seen.version)
    proposed, *events = work.propose(dossier, actor(who), now(), flow, refusal=refusal)
    if result:
        await store.save(tx, result)
    await dossiers.save(tx, proposed, *events)
    await follow_step(tx, proposed, flow, now())
    return proposed


# ── the leader's signature ────────────────────────────────────────────────────────────────────────────────────


@router.post("/dossiers/{code}/signature", dependencies=[Depends(recent(minutes=30))])
async def sign_result(
    code: Code, who: Leader, db: Db, later: Later, files: FilesDep, tenant: TenantDep, if_match: IfMatch,
    request: Request, response: Response, body: Signature | None = None,
) -> Moved:  # fmt: skip
    """The leader signs the content of the result (PAdES), or says that the paper was signed."""
    dossier, result = await dossiers.read(db, code), await store.read(db, code)
    if result.state is not ResultState.DRAFT and result.signer_ref == who.ref:
        return moved(dossier, response)
    expect(dossier, if_match)
    work.may_approve(dossier, actor(who))
    on_paper = body is not None and body.on_paper
    sha256 = result.sha256
    if not on_paper:
        signed = await signed_by_leader(
            dossier, await files.read(f"clean/{sha256}"), who, tenant, request.app.state.settings
        )
        sha256 = await keep(files, signed)
    _, flow = await flow_of(db, dossier, tenant)
    approved = await _sign(await later.begin(), dossier, result, sha256, who, flow, on_paper=on_paper)
    return moved(approved, response, work.conflicts(approved, who.ref, who.name))


async def signed_by_leader(
    dossier: Dossier, draft: bytes, who: OfficerToken, tenant: Tenant, settings: Settings
) -> bytes:
    """The draft with the leader's signature, checked."""
    keys, title = Keys.of(settings), f"Lãnh đạo {words.unit_of(dossier, tenant).name}"

    def sign() -> bytes:
        key = keys.leader(dossier.current_unit, who.ref)  # opening it may ask a token or a service
        return signing.sign_as_leader(draft, key, title=title, at=now())

    signed = await asyncio.to_thread(sign)
    _demand(await asyncio.to_thread(_check, signed, keys, signing.LEADER))
    return signed


async def _sign(
    tx: Connection, seen: Dossier, was: Result, sha256: str, who: OfficerToken, flow: Flow, *, on_paper: bool = False
) -> Dossier:
    dossier = await dossiers.lock(tx, seen.code)
    result = await store.read(tx, seen.code)
    if result.state is not ResultState.DRAFT and result.signer_ref == who.ref:
        return dossier
    if result.sha256 != was.sha256:
        raise VersionConflict("Bản dự thảo vừa được thay đổi, xin xem lại rồi ký", version=dossier.version)
    approved, event = work.approve(dossier, actor(who), now(), flow)
    await store.save(tx, domain.sign(result, actor(who), sha256, event.occurred_at, on_paper=on_paper))
    await dossiers.save(tx, approved, event)
    await follow_step(tx, approved, flow, event.occurred_at)
    return approved


# ── number, seal, publication ─────────────────────────────────────────────────────────────────────────────────


@router.post("/dossiers/{code}/issuance")
async def issue_result(
    code: Code, who: Clerk, db: Db, later: Later, files: FilesDep, tenant: TenantDep, if_match: IfMatch,
    request: Request, response: Response,
) -> Moved:  # fmt: skip
    """The clerk numbers the result, seals it, and publishes it; online delivery follows at once."""
    dossier, result = await dossiers.read(db, code), await store.read(db, code)
    if result.state is ResultState.PUBLISHED:
        return moved(dossier, response)
    expect(dossier, if_match)
    result = await _numbered(db, code, who)
    if result.on_paper:
        return moved(await _issue(await later.begin(), code, result, result.sha256, who), response)
    content = await files.read(f"clean/{result.sha256}")
    sha256 = await keep(files, await sealed(db, dossier, result, content, tenant, request.app.state.settings))
    return moved(await _issue(await later.begin(), code, result, sha256, who), response)


async def sealed(
    db: Database, dossier: Dossier, result: Result, content: bytes, tenant: Tenant, settings: Settings
) -> bytes:
    """The signed document with its number and the agency's seal, checked."""
    keys, url = Keys.of(settings), making.lookup_url(settings, dossier.code)
    seal = await asyncio.to_thread(keys.seal, dossier.current_unit)  # opening it may ask a token or a service
    done = await asyncio.to_thread(
        signing.number_and_seal, content, seal, number=result.full_number,
        place_and_date=place_and_date(words.unit_of(dossier, tenant), now()),
        head=with_head(url, await history.head(db, dossier.code)), at=now(),
    )  # fmt: skip
    _demand(await asyncio.to_thread(_check, done, keys, signing.LEADER, signing.SEAL))
    return done


async def _numbered(db: Database, code: str, who: OfficerToken) -> Result:
    """The result with its number, which it keeps whatever happens next: numbers have no gap."""
    async with db.transaction() as tx:
        dossier = await dossiers.lock(tx, code)
        result = await store.read(tx, code)
        domain.may_issue(dossier, result, actor(who))
        if result.number is None:
            moment = now()
            year = domain.year_of(moment)
            taken = await store.next_number(tx, dossier.current_unit, year, result.symbol)
            result = domain.number(result, taken, moment)
            await store.save(tx, result)
    return result


async def _issue(tx: Connection, code: str, was: Result, sha256: str, who: OfficerToken) -> Dossier:
    dossier = await dossiers.lock(tx, code)
    result = await store.read(tx, code)
    if result.state is ResultState.PUBLISHED:
        return dossier
    if result.sha256 != was.sha256:
        raise VersionConflict(version=dossier.version)
    procedure, _ = await catalogue.version(tx, dossier.facts.procedure_id)
    kind, moment = procedure.result, now()
    checked = SignatureStatus.NOT_SIGNED if result.on_paper else SignatureStatus.VALID
    issued, published, *events = domain.issue(dossier, result, kind, actor(who), sha256, checked, moment)
    await store.save(tx, published)
    await dossiers.save(tx, issued, *events)
    if domain.is_signed(published):
        await documents.keep_result(tx, issued, published, kind)
    await handed_over(tx, issued, published, moment)
    return issued


# ── signed on paper first ─────────────────────────────────────────────────────────────────────────────────────


class SignedFile(BaseModel):
    """The digitally signed file of a result that was signed on paper."""

    model_config = ConfigDict(extra="forbid")

    upload_id: UUID


@router.post("/dossiers/{code}/signed-result")
async def provide_signed_result(
    code: Code, who: Specialist, db: Db, later: Later, files: FilesDep, if_match: IfMatch, request: Request,
    response: Response, body: SignedFile,
) -> Moved:  # fmt: skip
    """The specialist provides the signed file that was missing. What was decided on time stays on time (RES-3, RES-4).

    Every signature in the file must be intact and lead to a root that vouches for agencies.
    """
    dossier, result = await dossiers.read(db, code), await store.read(db, code)
    if domain.is_signed(result):
        return moved(dossier, response)
    expect(dossier, if_match)
    data = await uploads.written_elsewhere(db, files, code, body.upload_id)
    roots = Keys.of(request.app.state.settings).roots
    _demand(await asyncio.to_thread(asyncio.run, signing.check_all(data, roots)))
    sha256 = await keep(files, data)
    return moved(await _complete(await later.begin(), code, sha256, who), response)


async def _complete(tx: Connection, code: str, sha256: str, who: OfficerToken) -> Dossier:
    dossier, moment = await dossiers.lock(tx, code), now()
    result = await store.read(tx, code)
    if domain.is_signed(result):
        return dossier
    procedure, _ = await catalogue.version(tx, dossier.facts.procedure_id)
    after, signed, *events = domain.sign_later(dossier, result, actor(who), sha256, moment)
    await store.save(tx, signed)
    await dossiers.save(tx, after, *events)
    await documents.keep_result(tx, after, signed, procedure.result)
    await handed_over(tx, after, signed, moment)
    return after


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _check(pdf: bytes, keys: Keys, *expected: str) -> Check:
    return asyncio.run(signing.check(pdf, keys.roots, *expected))


def _demand(check: Check) -> None:
    """No file leaves with a signature that would not pass a check."""
    if not check.valid:
        log.error("result.signature_invalid", error=check.why)
        raise domain.ResultSignatureMissing


# ── getting it ────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/dossiers/{code}/result")
async def get_result(code: Code, caller: Caller, db: Db, files: FilesDep, response: Response) -> Link:
    """The published result; officers of the unit see it from the draft on."""
    dossier = await readable(db, code, caller)
    result = await store.read(db, code)
    if result.state is not ResultState.PUBLISHED and not isinstance(caller, OfficerToken):
        raise ResultNoLongerInForce if result.state is ResultState.REVOKED else domain.ResultNotReady
    etag(response, dossier.version)
    return Link(url=files.presign_download(f"clean/{result.sha256}", file_name=f"ket-qua-{code}.pdf"))
