"""Signatures on a result: both hold after numbering, and nothing else passes."""

import asyncio
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from contracts.refusal import Refusal
from services.dossier import typesetting
from services.dossier.forms.words import letterhead
from services.dossier.results import signing, words
from services.dossier.results.providers import pkcs12
from services.dossier.results.signing import LEADER, SEAL, SigningKey
from services.dossier.tenant import Unit
from tests.dossier.office import PASSWORD

DATE = "Bình Minh, ngày 22 tháng 11 năm 2026"
HEAD = "https://dichvucong.anbinh.example.vn/tra-cuu?ma=H99.02.01-261122-0001#lich-su=5." + 64 * "a"
NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def leader(keys: dict[str, Path]) -> SigningKey:
    return SigningKey(pkcs12.opened(keys["leader"], PASSWORD))


@pytest.fixture(scope="module")
def seal(keys: dict[str, Path]) -> SigningKey:
    return SigningKey(pkcs12.opened(keys["seal"], PASSWORD))


@pytest.fixture(scope="module")
def drafted() -> bytes:
    unit = Unit("H99.02.01", "Ủy ban nhân dân xã Bình Minh")
    facts = {
        **letterhead(unit, "https://dichvucong.anbinh.example.vn/tra-cuu?ma=H99.02.01-261122-0001", ["TM. UBND"]),
        "code": "H99.02.01-261122-0001", "recipients": ["Nguyễn Thị An"], "event": "Khai sinh",
        "rows": [{"label": "Họ, chữ đệm, tên", "value": "NGUYỄN THỊ AN"}], "statement": "Trích lục.", "copies": "2",
    }  # fmt: skip
    form = words.FORMS["KQ.TP.TL"]
    return signing.add_fields(typesetting.typeset(form.template, facts, as_of=NOON))


@pytest.fixture(scope="module")
def signed(drafted: bytes, leader: SigningKey) -> bytes:
    return signing.sign_as_leader(drafted, leader, title="Chủ tịch", at=NOON)


@pytest.fixture(scope="module")
def sealed(signed: bytes, seal: SigningKey) -> bytes:
    return signing.number_and_seal(signed, seal, number="15/TLHT-BS", place_and_date=DATE, head=HEAD, at=NOON)


async def test_the_leaders_signature_stays_valid_under_number_and_seal(
    sealed: bytes, leader: SigningKey, seal: SigningKey
) -> None:
    checked = await signing.check(sealed, signing.trust_roots(None, leader, seal), LEADER, SEAL)

    assert checked.valid, checked.why
    assert checked.signers == ("Đặng Quang Minh", "Ủy ban nhân dân xã Bình Minh")
    assert PdfReader(BytesIO(sealed)).get_form_text_fields() == {
        "SoVanBan": "Số: 15/TLHT-BS",
        "NgayVanBan": DATE,
        "LichSu": HEAD,
    }


async def test_a_missing_signature_does_not_pass(signed: bytes, drafted: bytes, leader: SigningKey) -> None:
    roots = signing.trust_roots(None, leader)
    assert (await signing.check(signed, roots, LEADER)).valid
    assert not (await signing.check(signed, roots, LEADER, SEAL)).valid
    assert not (await signing.check(drafted, roots, LEADER)).valid


async def test_a_changed_byte_does_not_pass(sealed: bytes, leader: SigningKey) -> None:
    roots = signing.trust_roots(None, leader)
    for position in (1_000, 6_000, len(sealed) // 2):
        changed = bytearray(sealed)
        changed[position] ^= 1
        assert not (await signing.check(bytes(changed), roots, LEADER, SEAL)).valid


async def test_something_added_after_the_seal_does_not_pass(sealed: bytes, leader: SigningKey) -> None:
    writer = PdfWriter(BytesIO(sealed), incremental=True)
    writer.add_blank_page(595, 842)
    out = BytesIO()
    writer.write(out)

    assert not (await signing.check(out.getvalue(), signing.trust_roots(None, leader), LEADER, SEAL)).valid


async def test_a_signer_that_no_root_vouches_for_does_not_pass(
    drafted: bytes, leader: SigningKey, keys: dict[str, Path]
) -> None:
    stranger = SigningKey(pkcs12.opened(keys["stranger"], PASSWORD))
    forged = await asyncio.to_thread(signing.sign_as_leader, drafted, stranger, title="Chủ tịch", at=NOON)

    checked = await signing.check(forged, signing.trust_roots(None, leader), LEADER)

    assert not checked.valid
    assert "root" in checked.why


async def test_what_is_no_pdf_does_not_pass(leader: SigningKey) -> None:
    assert not (await signing.check(b"not a PDF", signing.trust_roots(None, leader), LEADER)).valid


def test_a_wrong_password_is_said_without_a_trace(keys: dict[str, Path]) -> None:
    with pytest.raises(Refusal):
        pkcs12.opened(keys["leader"], "wrong")


def test_rendering_again_gives_the_same_bytes() -> None:
    facts = {
        "title": "x", "lines": ["Số: 15"], "qr": "", "size": 9, "border": False, "colour": "#000000",
        "style": "normal", "width": 90, "height": 20,
    }  # fmt: skip
    assert typesetting.render(signing.STAMP, facts, as_of=NOON) == typesetting.render(signing.STAMP, facts, as_of=NOON)
