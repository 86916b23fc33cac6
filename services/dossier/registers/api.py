"""The control sheet of a dossier and the register of a unit, made whenever an officer asks for them."""

from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import Depends, Query, Request

from kit.auth import OfficerToken, officer
from kit.clock import now
from kit.files import FilesDep
from kit.http import Db, Router
from services.dossier.clocks import store as clocks
from services.dossier.clocks.calendar import HANOI
from services.dossier.filing.printing.api import printed
from services.dossier.forms.making import lookup_url
from services.dossier.history import store as history
from services.dossier.history.domain import with_head
from services.dossier.processing.api import Code, Link, readable
from services.dossier.processing.reading.domain import WORKS_WITH_CONTENT
from services.dossier.registers import domain, store, words
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["forms"])

Reader = Annotated[OfficerToken, Depends(officer(*WORKS_WITH_CONTENT, "inspector"))]
Worker = Annotated[OfficerToken, Depends(officer(*WORKS_WITH_CONTENT))]
FirstDay = Annotated[date, Query(alias="from", description="First day of acceptance, in Viet Nam.")]
LastDay = Annotated[date, Query(alias="to", description="Last day, at most a year after the first.")]


@router.get("/dossiers/{code}/control-sheet")
async def get_control_sheet(
    code: Code, who: Reader, db: Db, files: FilesDep, tenant: TenantDep, request: Request
) -> Link:
    """Phiếu kiểm soát quá trình giải quyết hồ sơ (Mẫu 06): who gave the dossier to whom, when, and whether in time.

    Made from the history as it is now, as tagged PDF/A; its QR code names the head of the history. For officers who
    may read the dossier.
    """
    dossier = await readable(db, code, who, "control sheet")
    rows = domain.hand_overs(await store.lines_of(db, code), await clocks.all_of(db, code))
    url = with_head(lookup_url(request.app.state.settings, code), await history.head(db, code))
    facts = words.control_sheet(dossier, rows, tenant, url, now())
    return await printed(db, files, words.CONTROL_SHEET, facts, as_of=now(), name=f"phieu-kiem-soat-{code}.pdf")


@router.get("/registers/dossiers")
async def get_register(first: FirstDay, last: LastDay, who: Worker, db: Db, files: FilesDep, tenant: TenantDep) -> Link:
    """Sổ theo dõi hồ sơ (Mẫu 07): what the officer's unit accepted in a period, as tagged PDF/A.

    One year and 2,000 dossiers at most; more is refused (422) with what to do instead. Who printed it is remembered
    with every dossier in it.
    """
    domain.check_period(first, last)
    entries = await store.register(db, who.unit, _midnight(first), _midnight(last + timedelta(days=1)))
    domain.check_size(len(entries))
    await store.log(db, entries, who.ref, who.unit)
    facts = words.register(who.unit, first, last, entries, tenant, f"https://{tenant.portal_host}", now())
    name = f"so-theo-doi-{who.unit}-{first:%Y%m%d}-{last:%Y%m%d}.pdf"
    return await printed(db, files, words.REGISTER, facts, as_of=now(), name=name)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), HANOI)
