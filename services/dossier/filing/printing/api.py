"""In biểu mẫu đơn (DOS-13), and the people behind a dossier for those who work on it.

A printed form is made from the stored facts each time; it lies in the object store for an hour, for its link to work.
"""

import asyncio
import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from kit import timers
from kit.auth import Caller
from kit.clock import now
from kit.db import Database
from kit.files import Files, FilesDep, connect
from kit.http import Db, Router
from kit.settings import load
from kit.timers import Timer
from services.dossier import typesetting
from services.dossier.catalogue import store as catalogue
from services.dossier.filing import store
from services.dossier.filing.api import Body, KeeperDep, PersonDetails, ReachDetails
from services.dossier.filing.printing import words
from services.dossier.parties import store as parties
from services.dossier.processing.api import Code, Link, readable
from services.dossier.settings import Settings
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["filing"])

FORGET = "forget_print"
KEPT = timedelta(hours=1)


class ParticularsView(Body):
    """The people behind a dossier, and how to reach them. Private data: for owner, submitter and who may read it."""

    owner: PersonDetails
    """Chủ hồ sơ."""
    submitter: PersonDetails
    """Người nộp hồ sơ."""
    reach: ReachDetails


@router.get("/dossiers/{code}/particulars")
async def get_particulars(code: Code, caller: Caller, db: Db) -> ParticularsView:
    """Who files for whom, and where result, originals and messages go."""
    dossier = await readable(db, code, caller, "particulars")
    return ParticularsView.model_validate(await parties.particulars_of(db, dossier.code))


@router.get("/drafts/{draft_id}/form")
async def print_draft(draft_id: UUID, who: KeeperDep, db: Db, files: FilesDep, tenant: TenantDep) -> Link:
    """The form as it is filled in now, as tagged PDF/A."""
    draft = await store.read(db, draft_id, who.ref)
    procedure, _ = await catalogue.version(db, draft.procedure_id)
    facts = words.of_draft(draft, procedure, tenant)
    name = f"to-khai-{procedure.code}.pdf"
    return await printed(db, files, words.TEMPLATE, facts, as_of=draft.updated_at, name=name)


@router.get("/dossiers/{code}/form")
async def print_dossier(code: Code, caller: Caller, db: Db, files: FilesDep, tenant: TenantDep) -> Link:
    """The form as it was sent, as tagged PDF/A."""
    dossier = await readable(db, code, caller, "form")
    procedure, _ = await catalogue.version(db, dossier.facts.procedure_id)
    facts = words.of_dossier(dossier, await parties.particulars_of(db, code), procedure, tenant)
    as_of = dossier.submitted_at or now()
    return await printed(db, files, words.TEMPLATE, facts, as_of=as_of, name=f"to-khai-{code}.pdf")


async def printed(
    db: Database, files: Files, template: Path, facts: dict[str, Any], *, as_of: datetime, name: str
) -> Link:
    """A link to the print, called `name`. That it will be forgotten is certain before it is there."""
    document = await asyncio.to_thread(typesetting.typeset, template, facts, as_of=as_of)
    digest = hashlib.sha256(document.pdf).hexdigest()
    async with db.transaction() as tx:
        await timers.schedule(tx, FORGET, digest, now() + KEPT)
    await files.put(f"print/{digest}", document.pdf, "application/pdf")
    return Link(url=files.presign_download(f"print/{digest}", file_name=name))


async def forget(_: Database, job: Timer) -> None:
    """A print that nobody needs any more; it can be made anew at any time."""
    await connect(load(Settings)).delete(f"print/{job.key}")
