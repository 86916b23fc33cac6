"""Files that do harm or pretend: refused by name, whatever way the harm hangs in the file."""

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx2
import pytest
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, PdfObject, StreamObject, TextStringObject

from deploy.local.ports import free
from services.dossier.app import app
from services.dossier.attachments.inspection import Unfit, inspect
from services.dossier.settings import Settings
from tests.dossier.office import Office, pdf, sha256
from tests.dossier.test_filing import encrypted, errors, picture

PDF = "application/pdf"
SCRIPT = {"/S": "/JavaScript", "/JS": "app.alert(1)"}


def thing(value: Any) -> PdfObject:
    """A PDF object of plain data: names begin with a slash."""
    if isinstance(value, dict):
        return DictionaryObject({NameObject(name): thing(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return ArrayObject(map(thing, value))
    if isinstance(value, PdfObject):
        return value
    return NameObject(value) if value.startswith("/") else TextStringObject(value)


def written(change: Callable[[PdfWriter], None]) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def at_root(name: str, value: Any) -> Callable[[PdfWriter], None]:
    def change(writer: PdfWriter) -> None:
        writer.root_object[NameObject(name)] = thing(value)

    return change


def on_page(name: str, value: Any) -> Callable[[PdfWriter], None]:
    def change(writer: PdfWriter) -> None:
        writer.pages[0][NameObject(name)] = thing(value)

    return change


def indirectly(writer: PdfWriter) -> None:
    """Three references away, in an object that nothing shown on a page needs."""
    script = writer._add_object(thing(SCRIPT))
    holder = writer._add_object(thing({"/Next": script}))
    writer.root_object[NameObject("/OpenAction")] = thing({"/S": "/GoTo", "/Next": holder})


def as_stream(writer: PdfWriter) -> None:
    """A script may be a stream instead of a text."""
    code = StreamObject()
    code.set_data(b"app.alert(1)")
    reference = writer._add_object(code)
    writer.root_object[NameObject("/AA")] = thing({"/WC": {"/S": "/JavaScript", "/JS": reference}})


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (at_root("/OpenAction", SCRIPT), "active_content"),
        (at_root("/AA", {"/WC": SCRIPT}), "active_content"),
        (on_page("/AA", {"/O": SCRIPT}), "active_content"),
        (at_root("/Names", {"/JavaScript": {"/Names": ["a", SCRIPT]}}), "active_content"),
        (at_root("/AcroForm", {"/Fields": [{"/AA": {"/K": SCRIPT}}]}), "active_content"),
        (at_root("/AcroForm", {"/XFA": "<xdp/>"}), "active_content"),
        (on_page("/Annots", [{"/A": {"/S": "/Launch", "/F": "cmd.exe"}}]), "active_content"),
        (on_page("/Annots", [{"/A": {"/S": "/SubmitForm", "/F": "http://a.example"}}]), "active_content"),
        (at_root("/OpenAction", {"/S": "/GoTo", "/Next": [{"/S": "/ImportData"}]}), "active_content"),
        (indirectly, "active_content"),
        (as_stream, "active_content"),
        (lambda writer: writer.add_attachment("a.exe", b"MZ") and None, "embedded_files"),
        (on_page("/Annots", [{"/Subtype": "/FileAttachment", "/FS": {"/EF": {"/F": "x"}}}]), "embedded_files"),
    ],
    ids=[
        "on opening", "on closing", "on a page", "tree of names", "in a field", "XFA", "launch", "submit", "import",
        "behind references", "as a stream", "attachment", "attached note",
    ],
)  # fmt: skip
def test_a_pdf_that_acts_or_hides_is_refused(change: Callable[[PdfWriter], None], rule: str) -> None:
    with pytest.raises(Unfit) as refused:
        inspect(written(change), PDF)

    assert refused.value.rule == rule


def test_links_and_outlines_do_no_harm() -> None:
    link = {"/Subtype": "/Link", "/A": {"/S": "/URI", "/URI": "https://dichvucong.gov.vn"}}

    assert inspect(written(on_page("/Annots", [link])), PDF) == 1


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_a_pdf_that_was_cut_is_refused_wherever(share: float) -> None:
    whole = pdf("x" * 3000)

    with pytest.raises(Unfit):
        inspect(whole[: int(len(whole) * share)], PDF)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(pdf(), "image/png"), (picture("PNG"), PDF), (picture("JPEG"), "image/png"), (b"PK\x03\x04", PDF), (b"", PDF)],
    ids=["pdf as png", "png as pdf", "jpeg as png", "zip as pdf", "nothing"],
)
def test_a_name_does_not_make_a_type(data: bytes, kind: str) -> None:
    with pytest.raises(Unfit) as refused:
        inspect(data, kind)

    assert refused.value.rule in ("not_what_it_claims", "truncated")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked() -> None:
    out = BytesIO()
    Image.new("1", (10_000, 10_000)).save(out, "PNG")

    with pytest.raises(Unfit) as refused:
        inspect(out.getvalue(), "image/png")
    assert refused.value.rule == "too_large"


# ── over HTTP ──


@pytest.mark.parametrize("size", [0, 51 * 1024**2])
async def test_empty_and_giant_files_get_no_leave(office: Office, size: int) -> None:
    draft = await office.draft()
    body = {"file_name": "x.pdf", "content_type": PDF, "size": size, "sha256": "0" * 64}

    await office.call("POST", f"/drafts/{draft}/components/TP-TL-01/uploads", office.an, 422, json=body)
    assert await office.db.fetchval("SELECT count(*) FROM upload") == 0


@pytest.mark.parametrize("data", [b"", b"x" * 51 * 1024**2], ids=["0 bytes", "51 MB"])
async def test_the_policy_itself_refuses_what_was_not_announced(office: Office, data: bytes) -> None:
    """Whoever announces a small file and sends another size meets the object store's own no."""
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())
    async with httpx2.AsyncClient(timeout=60) as browser:
        try:
            answer = await browser.post(ticket["url"], data=ticket["fields"], files={"file": ("x", data)})
            assert answer.is_error, "400, or whatever a server says to far too much"
        except httpx2.TransportError:
            assert data, "it may hang up on what is too long, in the middle"

    assert errors(await office.submission(draft, 422)) == {"components.TP-TL-01": "never_uploaded"}


async def test_what_replaces_a_file_after_its_examination_changes_nothing(office: Office) -> None:
    """The leave to send outlives the examination; what is sent is what was examined."""
    draft, honest = await office.draft(), pdf("đúng")
    ticket = await office.announce(draft, honest)
    await office.send_file(ticket, honest)
    await office.complete(draft, ticket)

    await office.send_file(ticket, encrypted()[: len(honest)].ljust(len(honest)))

    code = (await office.submission(draft))["code"]
    (file,) = (await office.call("GET", f"/dossiers/{code}", office.an))["files"]
    link = await office.call("GET", f"/dossiers/{code}/files/{file['id']}", office.an)
    assert sha256(await office.download(link)) == sha256(honest)


async def test_racing_examinations_come_to_one_verdict(office: Office) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())
    await office.send_file(ticket, pdf())

    found = await asyncio.gather(*[office.complete(draft, ticket) for _ in range(4)], office.submission(draft))

    assert {one["verdict"] for one in found[:4]} == {"clean"}
    assert await office.db.fetchval("SELECT count(*) FROM component_file") == 1
    assert await office.db.fetchval("SELECT count(*) FROM signature_check") == 1


async def test_a_file_that_is_taken_back_while_it_is_sent_leaves_nothing_half_done(office: Office) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())
    await office.send_file(ticket, pdf())
    drop = office.http.delete(f"/api/v1/drafts/{draft}/uploads/{ticket['upload_id']}", headers=office.an)
    send = office.http.post(f"/api/v1/drafts/{draft}/submission", headers=office.an)

    dropped, sent = await asyncio.gather(drop, send)

    made = await office.db.fetchval("SELECT count(*) FROM dossier")
    assert made == await office.db.fetchval("SELECT count(*) FROM component_file")
    assert made == await office.db.fetchval("SELECT count(*) FROM outbox")
    assert (sent.status_code == 201) == (made == 1)
    assert (dropped.status_code == 204) != (sent.status_code == 201)


async def test_without_storage_nothing_is_taken_and_nothing_is_lost(office: Office, settings: Settings) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())
    await office.send_file(ticket, pdf())
    nowhere = f"http://127.0.0.1:{free(['nowhere'])['nowhere']}"

    app.state.settings = settings.model_copy(update={"s3_url": nowhere})
    await office.complete(draft, ticket, 503)
    await office.submission(draft, 503)
    assert await office.db.fetchval("SELECT count(*) FROM dossier") == 0

    app.state.settings = settings
    assert (await office.submission(draft))["status"] == "submitted"
