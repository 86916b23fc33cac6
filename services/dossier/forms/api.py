"""The official forms of a dossier, for its owner and the officers of its units."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel

from kit.auth import Caller, SystemToken, system
from kit.files import FilesDep
from kit.http import Db, Router
from services.dossier.forms import making, store, words
from services.dossier.forms.domain import TITLES, Form
from services.dossier.processing.api import Code, Link, readable

router = Router(prefix="/api/v1", tags=["forms"])

Notification = Annotated[SystemToken, Depends(system("notification"))]
Name = Annotated[str, InPath(pattern="^mau-0[1-5](-[a-z0-9]{1,20})?$")]


class FormView(BaseModel):
    """One official form (Thông tư 03/2025/TT-VPCP) that was issued about a dossier."""

    name: str
    """The second part of its reference in events: `mau-02-1`."""
    form: Form
    title: str
    number: str | None
    """Number and symbol, such as `15/HDHS`; null for the receipt, which has the dossier's code."""
    issued_at: datetime
    ready: bool
    """Whether the signed file is there already; if not, it is made when it is asked for."""


class Forms(BaseModel):
    items: list[FormView]


@router.get("/dossiers/{code}/forms")
async def list_forms(code: Code, caller: Caller, db: Db) -> Forms:
    """Every official form issued about the dossier, in order (Mẫu 01 to 05)."""
    dossier = await readable(db, code, caller)
    return Forms(
        items=[
            FormView(
                name=form.name, form=form.form, title=TITLES[form.form], number=form.full_number or None,
                issued_at=form.facts.at, ready=form.sha256 is not None,
            )
            for form in await store.of_dossier(db, dossier.code)
        ]
    )  # fmt: skip


@router.get("/dossiers/{code}/forms/{name}")
async def get_form(code: Code, name: Name, caller: Caller, db: Db, files: FilesDep, request: Request) -> Link:
    """One official form as a signed PDF/A."""
    dossier = await readable(db, code, caller)
    form = await store.read(db, dossier.code, name)
    sha256 = await making.made(db, files, request.app.state.settings, form)
    return Link(url=files.presign_download(f"clean/{sha256}", file_name=f"{words.FILE_NAMES[form.form]}-{code}.pdf"))


@router.get("/dossiers/{code}/slip")
async def get_slip(code: Code, caller: Caller, db: Db, files: FilesDep, request: Request) -> Link:
    """The newest receipt with the appointment (Mẫu 01); a supplement leads to another one."""
    dossier = await readable(db, code, caller)
    receipt = await store.newest(db, dossier.code, Form.RECEIPT)
    return await get_form(code, receipt.name, caller, db, files, request)


@router.get("/dossiers/{code}/slip/content", response_class=Response)
async def get_slip_content(code: Code, _: Notification, db: Db, files: FilesDep, request: Request) -> Response:
    """The newest receipt with the appointment (Mẫu 01) itself, for the letter that brings it to the submitter."""
    receipt = await store.newest(db, code, Form.RECEIPT)
    sha256 = await making.made(db, files, request.app.state.settings, receipt)
    return Response(await files.read(f"clean/{sha256}"), media_type=making.PDF)
