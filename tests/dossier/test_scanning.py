"""Viruses: found before a file is even parsed, and nothing is taken while the scanner gives no clear answer."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from deploy.local.ports import free
from deploy.standins.clamav.app import EICAR, FOUND
from kit.files import Files
from services.dossier.attachments.providers import FileNotExamined, clamav
from services.dossier.attachments.providers.clamav import ClamAV
from services.dossier.settings import Settings
from tests.dossier.office import Office, pdf
from tests.dossier.test_filing import errors
from tests.scanners import Listening

INFECTED = pdf().replace(b"%%EOF", b"% " + EICAR + b"\n%%EOF")
"""A PDF that any reader opens, with EICAR's string in a comment."""


def examined(verdict: str) -> float:
    return REGISTRY.get_sample_value("motcua_uploads_examined_total", {"verdict": verdict}) or 0


# ── the protocol, with whichever scanner `--scanner` names ──


@pytest.mark.parametrize("data", [b"", b"x", pdf(), b"x" * 3_000_000], ids=["nothing", "a byte", "a PDF", "3 MB"])
async def test_what_is_harmless_is_clean(scanner: Listening, data: bytes) -> None:
    assert await ClamAV(scanner.url).scan(data) is None


@pytest.mark.parametrize(
    "data",
    [EICAR, INFECTED, b"x" * (clamav.PIECE - 20) + EICAR + b"x" * 100_000],
    ids=["alone", "in a PDF", "across two pieces"],
)
async def test_the_test_virus_is_found_wherever_it_stands(scanner: Listening, data: bytes) -> None:
    found = await ClamAV(scanner.url).scan(data)

    assert found is not None
    assert found.startswith(FOUND)


async def test_more_than_the_scanner_takes_is_not_called_clean(scanner: Listening) -> None:
    with pytest.raises(FileNotExamined):
        await ClamAV(scanner.url).scan(b"x" * 26 * 1024**2)


async def test_many_scans_at_once_keep_apart(scanner: Listening) -> None:
    files = [EICAR if n % 3 == 0 else b"x" * n * 1000 for n in range(30)]

    found = await asyncio.gather(*map(ClamAV(scanner.url).scan, files))

    assert [bool(name) for name in found] == [n % 3 == 0 for n in range(30)]


# ── infected ──


async def test_an_infected_file_is_kept_out_for_good_and_raises_an_alarm(office: Office, settings: Settings) -> None:
    draft, before = await office.draft(), examined("infected")
    ticket = await office.announce(draft, INFECTED)
    await office.send_file(ticket, INFECTED)

    found = await office.complete(draft, ticket)

    assert (found["verdict"], found["rule"]) == ("infected", "infected")
    assert errors(await office.submission(draft, 422)) == {"components.TP-TL-01": "infected"}
    assert await Files(settings).stat(f"quarantine/{ticket['upload_id']}") is None
    assert examined("infected") == before + 1


async def test_a_good_file_in_place_of_an_infected_one_lets_the_draft_be_sent(office: Office) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, INFECTED)
    await office.send_file(ticket, INFECTED)
    await office.submission(draft, 422)

    await office.call("DELETE", f"/drafts/{draft}/uploads/{ticket['upload_id']}", office.an, 204)
    await office.upload(draft, pdf())

    assert (await office.submission(draft))["status"] == "submitted"


# ── no clear answer ──

Serve = Callable[[StreamReader, StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scanner_that(serve: Serve) -> AsyncIterator[str]:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def saying(answer: bytes) -> Serve:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        while await reader.read(65536):
            if answer or reader.at_eof():
                break
        writer.write(answer)
        writer.close()

    return serve


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK",
        b"stream: OKAY\0",
        b"stream:  FOUND\0",
        b"INSTREAM size limit. ERROR\0",
        b"\xff" * 5000,
    ],
    ids=["nothing", "cut", "another word", "a nameless find", "an error", "rubbish"],
)
async def test_an_answer_that_is_not_clear_is_no_answer(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clamav, "PATIENCE", 2.0)
    async with scanner_that(saying(answer)) as url:
        with pytest.raises(FileNotExamined):
            await ClamAV(url).scan(b"x" * 500_000)


async def test_a_scanner_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = asyncio.Event()

    async def hang(_: StreamReader, writer: StreamWriter) -> None:
        await silent.wait()
        writer.close()

    monkeypatch.setattr(clamav, "PATIENCE", 0.2)
    async with scanner_that(hang) as url:
        with pytest.raises(FileNotExamined):
            await ClamAV(url).scan(b"x")
        silent.set()


@pytest.mark.parametrize("url", ["http://127.0.0.1:3310", "tcp://127.0.0.1", "127.0.0.1:3310"])
def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="tcp://host:port"):
        ClamAV(url)


async def test_without_the_scanner_nothing_is_taken_and_nothing_is_lost(
    office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())
    await office.send_file(ticket, pdf())
    nobody = settings.model_copy(update={"scanner_url": f"tcp://127.0.0.1:{free(['nobody'])['nobody']}"})

    with monkeypatch.context() as patch:
        for away in (nobody, settings.model_copy(update={"scanner_url": ""})):
            patch.setattr("kit.settings._loaded", {Settings: away})
            problem = await office.complete(draft, ticket, 503)
            assert problem["type"] == "urn:motcua:problem:file-not-examined"
            assert "thử lại" in problem["title"]
            await office.submission(draft, 503)

    assert await office.db.fetchval("SELECT count(*) FROM outbox") == 0
    assert await office.db.fetchval("SELECT verdict FROM upload") == "pending"
    assert (await office.complete(draft, ticket))["verdict"] == "clean"
    assert (await office.submission(draft))["status"] == "submitted"
