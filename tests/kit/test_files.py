"""What a browser may put into the object storage, and how it comes out again."""

import asyncio
import hashlib
from uuid import uuid4

import httpx2
import pytest

from kit.files import Files, Stored, Upload
from kit.problems import Unavailable
from kit.settings import Settings

PDF = b"%PDF-1.7\n% a very small one\n"
SHA = hashlib.sha256(PDF).hexdigest()


@pytest.fixture
def files(settings: Settings) -> Files:
    return Files(settings)


@pytest.fixture
def key() -> str:
    return f"quarantine/{uuid4()}"


def policy(files: Files, key: str, max_size: int = 1000) -> Upload:
    return files.presign_upload(key, content_type="application/pdf", max_size=max_size, sha256_hex=SHA)


async def post(upload: Upload, content: bytes = PDF, **changed: str | None) -> int:
    """The status of a browser's upload with these fields changed, or left out (None)."""
    names = {name.replace("_", "-"): value for name, value in changed.items()}
    fields = {name: value for name, value in {**upload.fields, **names}.items() if value is not None}
    async with httpx2.AsyncClient() as browser:
        answer = await browser.post(upload.url, data=fields, files={"file": ("scan.pdf", content, "application/pdf")})
    return answer.status_code


async def test_what_the_policy_allows_is_stored_as_it_is(files: Files, key: str) -> None:
    status = await post(policy(files, key))

    assert status in (200, 201, 204)
    assert await files.stat(key) == Stored(len(PDF), "application/pdf")
    assert await files.read(key) == PDF


async def test_exactly_as_large_as_allowed_is_not_too_large(files: Files, key: str) -> None:
    assert await post(policy(files, key, max_size=len(PDF))) in (200, 201, 204)


async def test_what_the_policy_does_not_allow_is_refused_by_the_storage_itself(files: Files, key: str) -> None:
    upload = policy(files, key)
    elsewhere = f"clean/{SHA}-{uuid4()}"

    refusals = {
        "too large": await post(upload, PDF * 100),
        "empty": await post(upload, b""),
        "another type": await post(upload, Content_Type="text/html"),
        "another place": await post(upload, key=elsewhere),
        "another digest": await post(upload, x_amz_meta_sha256="0" * 64),
        "no digest": await post(upload, x_amz_meta_sha256=None),
        "no type": await post(upload, Content_Type=None),
        "no policy": await post(upload, policy=None),
        "another policy's signature": await post(upload, policy=policy(files, elsewhere).fields["policy"]),
        "a forged signature": await post(upload, x_amz_signature="0" * 64),
    }

    assert {why: status for why, status in refusals.items() if not 400 <= status < 500} == {}
    assert await files.stat(key) is None
    assert await files.stat(elsewhere) is None


async def test_checked_bytes_stay_whatever_is_sent_again_in_their_place(files: Files, key: str) -> None:
    upload, clean = policy(files, key), f"clean/{uuid4().hex}"
    await post(upload)
    await files.put(clean, await files.read(key), "application/pdf")
    await post(upload)

    assert await files.read(clean) == PDF
    assert await files.stat(clean) == Stored(len(PDF), "application/pdf")


async def test_a_download_is_an_attachment_under_its_vietnamese_name(files: Files, key: str) -> None:
    await files.put(key, PDF, "application/pdf")
    url = files.presign_download(key, file_name='Trích lục "khai sinh".pdf')

    async with httpx2.AsyncClient() as browser:
        answer = await browser.get(url)
        forged = await browser.get(url.replace(key, f"{key}x"))

    assert answer.content == PDF
    disposition = answer.headers["content-disposition"]
    assert disposition == "attachment; filename*=UTF-8''Tr%C3%ADch%20l%E1%BB%A5c%20%22khai%20sinh%22.pdf"
    assert forged.status_code == 403


async def test_a_download_ends_when_its_time_is_over(files: Files, key: str) -> None:
    await files.put(key, PDF, "application/pdf")
    url = files.presign_download(key, file_name="a.pdf")
    async with httpx2.AsyncClient() as browser:
        longer = await browser.get(url.replace("X-Amz-Expires=300", "X-Amz-Expires=30000"))

    assert longer.status_code == 403


async def test_what_is_not_there_has_no_size(files: Files, key: str) -> None:
    assert await files.stat(key) is None


async def test_more_than_the_limit_is_not_read(files: Files, key: str) -> None:
    await files.put(key, b"x" * 1001, "text/plain")

    assert len(await files.read(key, limit=1001)) == 1001
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        await files.read(key, limit=1000)


async def test_while_the_storage_is_away_the_loop_is_not_held_and_the_answer_is_unavailable(
    settings: Settings, key: str
) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]  # it hangs up: were the loop held, it could not even do that
        files = Files(settings.model_copy(update={"s3_url": f"http://127.0.0.1:{port}"}))
        with pytest.raises(Unavailable):
            await files.stat(key)
    with pytest.raises(Unavailable):
        await files.put(key, PDF, "application/pdf")


def http_answer(status: str, kind: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


SLOW_DOWN = http_answer("503 Slow down", "application/xml", "<Error><Code>SlowDown</Code></Error>")
BAD_GATEWAY = http_answer("502 Bad gateway", "text/html", "<h1>Bad gateway</h1>")


@pytest.mark.parametrize("answer", [SLOW_DOWN, BAD_GATEWAY])
async def test_a_storage_that_is_in_trouble_is_unavailable(settings: Settings, key: str, answer: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        files = Files(settings.model_copy(update={"s3_url": f"http://127.0.0.1:{port}"}))
        with pytest.raises(Unavailable):
            await files.read(key)


async def test_browsers_are_sent_to_the_public_address(settings: Settings, key: str) -> None:
    files = Files(settings.model_copy(update={"s3_public_url": "https://tep.anbinh.gov.vn"}))

    assert policy(files, key).url == f"https://tep.anbinh.gov.vn/{settings.s3_bucket}"
    assert files.presign_download(key, file_name="a.pdf").startswith("https://tep.anbinh.gov.vn/")
