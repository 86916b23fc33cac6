"""Who files for whom: what each step lacks, owner and submitter, assisted and paper filing, linking accounts."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.dossier import OwnerType
from contracts.identity import AccountLocked, AccountStandardised, LockReason, VerificationSource
from kit.clock import now
from services.dossier import subscribers
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import EForm, FormField
from services.dossier.filing.domain import code_for, from_account, parse_code
from services.dossier.parties.domain import Person, digest_of, person_faults, person_warnings, reference_of
from tests.dossier.office import AN, ANSWERS, OFFICERS, PROCEDURE, UNIT, Office, pdf, sha256

KEY = b"key of tests"
MOTHER = {"name": "Lê Thị Mẹ", "identity_number": "000155000009", "phone": "0900000009"}
POST = {"name": "Nguyễn Thị An", "phone": "0900000001", "address": {"text": "Thôn Đông, xã Bình Minh"}}


async def change(office: Office, draft: str, who: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    return await office.call("PATCH", f"/drafts/{draft}", who or office.an, json=fields)


async def check(office: Office, draft: str, who: dict[str, str] | None = None) -> dict[str, Any]:
    return await office.call("GET", f"/drafts/{draft}/check", who or office.an)


def faults(checked: dict[str, Any]) -> dict[int, dict[str, str]]:
    return {
        step["number"]: {fault["field"]: fault["rule"] for fault in step["faults"]}
        for step in checked["steps"]
        if not step["complete"]
    }


async def officers_draft(office: Office, **fields: Any) -> str:
    """A draft of a desk officer that lacks only its file."""
    desk = office.officers["desk"]
    body = {"procedure_code": PROCEDURE, "receiving_unit": UNIT}
    draft: str = (await office.call("POST", "/drafts", desk, 201, json=body))["id"]
    await change(office, draft, desk, answers=ANSWERS, delivery="desk", owner=MOTHER, **fields)
    return draft


async def scan(office: Office, draft: str, who: dict[str, str], component: str = "TP-TL-01") -> None:
    data = pdf(component)
    body = {"file_name": "x.pdf", "content_type": "application/pdf", "size": len(data), "sha256": sha256(data)}
    path = f"/drafts/{draft}/components/{component}/uploads"
    await office.send_file(await office.call("POST", path, who, 201, json=body), data)


async def standardised(office: Office, account: UUID, number: str, version: int = 1) -> None:
    event = AccountStandardised(
        version=version, occurred_at=now(), account_ref=account, masked_name="L* T** M*",
        identity_digest=digest_of(number, KEY), verification_source=VerificationSource.VNEID, standardised_at=now(),
    )  # fmt: skip
    async with office.db.transaction() as tx:
        await subscribers.on_account(tx, event)


# ── the four steps ──


async def test_each_step_says_what_it_lacks_without_sending_anything(office: Office) -> None:
    draft = await office.draft(answers={"event_type": "birth"}, delivery="post", reach={"originals_by_post": True})

    checked = await check(office, draft)

    assert not checked["ready"]
    assert [step["name"] for step in checked["steps"]] == [
        "Chọn dịch vụ công", "Nhập thông tin hồ sơ", "Thành phần hồ sơ", "Đăng ký nhận kết quả",
    ]  # fmt: skip
    assert faults(checked) == {
        2: {"answers.person_name": "required", "answers.copies": "required"},
        3: {"components.TP-TL-01": "missing"},
        4: {
            **{f"reach.receiver.{name}": "required" for name in ("name", "phone", "address")},
            **{f"reach.sender.{name}": "required" for name in ("name", "phone", "address")},
        },
    }
    assert await office.db.fetchval("SELECT count(*) FROM dossier") == 0


async def test_a_complete_draft_is_ready_and_is_sent_with_everything_it_says(office: Office) -> None:
    reach = {"receiver": POST, "originals_by_post": True, "sender": POST, "sms_number": "0900000001"}
    draft = await office.draft(delivery="post", reach=reach, sms_opt_in=True)
    await scan(office, draft, office.an)

    assert (await check(office, draft))["ready"]
    code = (await office.submission(draft))["code"]

    said = (await office.bodies(code))["DossierSubmitted"]
    assert said["originals_by_post"]
    assert "Bình Minh" not in str(said)
    kept = await office.call("GET", f"/dossiers/{code}/particulars", office.officers["desk"])
    assert kept["reach"]["receiver"]["address"]["text"] == POST["address"]["text"]  # type: ignore[index]
    await office.call("GET", f"/dossiers/{code}/particulars", office.binh, 404)


async def test_nobody_is_somebody_else_by_saying_so(office: Office) -> None:
    await standardised(office, AN, "000190000001")
    draft = await office.draft()
    await change(office, draft, submitter={"name": "Người khác", "identity_number": MOTHER["identity_number"]})

    checked = await check(office, draft)

    assert faults(checked)[2] == {"submitter.identity_number": "not_yours"}
    view = await office.call("GET", f"/drafts/{draft}", office.an)
    assert view["submitter"]["name"] == "Nguyễn Thị An"


# ── for somebody else ──


async def test_an_owner_must_be_named_and_the_authorisation_be_there(office: Office) -> None:
    draft = await office.draft(on_behalf=True)
    await scan(office, draft, office.an)

    assert faults(await check(office, draft)) == {
        2: {"owner.name": "required", "owner.identity_number": "required"},
        3: {"components.TP-TL-02": "missing"},
    }


async def test_whoever_files_for_somebody_follows_the_dossier_and_so_does_the_owner_with_an_account(
    office: Office,
) -> None:
    mother, account = UUID(int=0xC1), office.identity.token(UUID(int=0xC1), "citizen", name="Lê Thị Mẹ", acr=2)
    draft = await office.draft(on_behalf=True, owner=MOTHER)
    for component in ("TP-TL-01", "TP-TL-02"):
        await scan(office, draft, office.an, component)
    code = (await office.submission(draft))["code"]

    said = (await office.bodies(code))["DossierSubmitted"]
    assert UUID(said["submitter_ref"]) == AN
    assert UUID(said["owner_ref"]) == reference_of(digest_of(MOTHER["identity_number"], KEY))
    await office.call("GET", f"/dossiers/{code}", office.an)
    await office.call("GET", f"/dossiers/{code}", account, 404)

    await standardised(office, mother, MOTHER["identity_number"])
    await standardised(office, mother, MOTHER["identity_number"])  # heard twice

    await office.call("GET", f"/dossiers/{code}", account)
    await office.call("GET", f"/dossiers/{code}", office.an)
    assert await office.events(code) == [(1, "DossierSubmitted"), (2, "OwnerLinked")]
    linked = (await office.bodies(code))["OwnerLinked"]
    assert (UUID(linked["owner_ref"]), UUID(linked["submitter_ref"])) == (mother, AN)


async def test_where_nobody_may_file_for_another_it_is_said(office: Office) -> None:
    await office.db.execute("""UPDATE procedure SET definition = jsonb_set(definition,
        '{cases,0,authorised_submission_allowed}', 'false') WHERE code = $1""", PROCEDURE)  # fmt: skip
    catalogue._versions.clear()
    draft = await office.draft(on_behalf=True, owner=MOTHER)

    assert faults(await check(office, draft))[2] == {"on_behalf": "not_allowed"}


# ── accounts ──


async def test_what_a_locked_duplicate_had_belongs_to_the_account_that_is_left(office: Office) -> None:
    code, draft = await office.submitted(), await office.draft()
    lock = AccountLocked(
        version=2, occurred_at=now(), account_ref=AN, reason=LockReason.DUPLICATE, superseded_by=UUID(int=0xB1)
    )
    async with office.db.transaction() as tx:
        await subscribers.on_account(tx, lock)

    await office.call("GET", f"/dossiers/{code}", office.binh)
    await office.call("GET", f"/dossiers/{code}", office.an, 404)
    await office.call("GET", f"/drafts/{draft}", office.binh)


async def test_filing_and_becoming_known_at_once_never_miss_each_other(office: Office) -> None:
    """Whoever registers paper and whoever proves their number race: the dossier is the account's either way."""
    desk, mother = office.officers["desk"], UUID(int=0xC1)
    drafts = [await officers_draft(office) for _ in range(4)]
    for draft in drafts:
        await scan(office, draft, desk)
    body = {"channel": "desk"}
    registered = [office.call("POST", f"/drafts/{draft}/registration", desk, 201, json=body) for draft in drafts]

    await asyncio.gather(*registered[:2], standardised(office, mother, MOTHER["identity_number"]), *registered[2:])

    assert {row["owner_ref"] for row in await office.db.fetch("SELECT owner_ref FROM dossier")} == {mother}


# ── at the desk ──


async def test_paper_is_submitted_and_accepted_in_the_same_moment(office: Office) -> None:
    desk = office.officers["desk"]
    draft = await officers_draft(office)
    await scan(office, draft, desk)

    sent = await office.call("POST", f"/drafts/{draft}/registration", desk, 201, json={"channel": "desk"})

    code = sent["code"]
    assert sent["due_at"]
    assert [name for _, name in await office.events(code)][:2] == ["DossierSubmitted", "DossierAccepted"]
    bodies = await office.bodies(code)
    assert bodies["DossierSubmitted"]["channel"] == "desk"
    assert bodies["DossierSubmitted"]["components"][0]["source"] == "paper"
    view = await office.call("GET", f"/dossiers/{code}", desk)
    assert view["owner_name"] == MOTHER["name"]
    assert [line["act"] for line in view["history"]][:2] == ["register_paper", "accept"]
    assert await office.call("GET", f"/dossiers/{code}/slip", desk)
    again = await office.call("POST", f"/drafts/{draft}/registration", desk, 201, json={"channel": "desk"})
    assert again["code"] == code


async def test_paper_is_the_desks_own_and_comes_by_desk_or_post(office: Office) -> None:
    desk = office.officers["desk"]
    draft = await officers_draft(office)
    await scan(office, draft, desk)

    await office.call("POST", f"/drafts/{draft}/registration", office.strangers["desk"], 404, json={"channel": "desk"})
    await office.call("POST", f"/drafts/{draft}/registration", office.an, 403, json={"channel": "desk"})
    await office.call("POST", f"/drafts/{draft}/registration", desk, 422, json={"channel": "provincial_portal"})
    body = {"procedure_code": PROCEDURE, "receiving_unit": "H99.02.02"}
    await office.call("POST", "/drafts", desk, 403, json=body)
    await office.call("POST", "/drafts", office.officers["leader"], 403, json={**body, "receiving_unit": UNIT})


async def test_paper_that_lacks_something_lists_all_of_it(office: Office) -> None:
    desk = office.officers["desk"]
    draft = await officers_draft(office)
    await change(office, draft, desk, owner={"name": "Mẹ", "identity_number": "12345"}, answers={"copies": None})

    problem = await office.call("POST", f"/drafts/{draft}/registration", desk, 422, json={"channel": "desk"})

    assert {error["field"]: error["rule"] for error in problem["errors"]} == {
        "answers.copies": "required", "owner.identity_number": "format", "components.TP-TL-01": "missing",
    }  # fmt: skip


async def test_an_officer_files_for_a_citizen_and_it_is_remembered_who(office: Office) -> None:
    desk = office.officers["desk"]
    draft = await officers_draft(office)
    await scan(office, draft, desk)

    sent = await office.call("POST", f"/drafts/{draft}/submission", desk, 201)

    assert sent["status"] == "submitted"
    said = (await office.bodies(sent["code"]))["DossierSubmitted"]
    assert said["channel"] == "provincial_portal"
    assert said["owner_ref"] == said["submitter_ref"] != str(OFFICERS["desk"])
    row = await office.db.fetchrow("SELECT assisted_by FROM dossier WHERE code = $1", sent["code"])
    assert row
    assert row["assisted_by"] == OFFICERS["desk"]
    (line,) = (await office.call("GET", f"/dossiers/{sent['code']}", desk))["history"]
    assert line["reason"] == "Cán bộ một cửa nộp hộ"


async def test_how_to_reach_them_is_told_to_notification_alone_and_every_time_is_recorded(office: Office) -> None:
    desk = office.officers["desk"]
    draft = await officers_draft(office, reach={"sms_number": "0900000019"})
    await scan(office, draft, desk)
    code = (await office.call("POST", f"/drafts/{draft}/registration", desk, 201, json={"channel": "desk"}))["code"]
    notification, tracking = (
        office.identity.token(UUID(int=1), "system", sub=name) for name in ("notification", "tracking")
    )

    told = await office.call("GET", f"/dossiers/{code}/contact?purpose=dossier_accepted", notification)

    assert told == {"sms_number": "0900000019", "phone": MOTHER["phone"], "email": None}
    row = await office.db.fetchrow("SELECT dossier_code, told, purpose FROM contact_disclosure")
    assert row
    assert tuple(row) == (code, "notification", "dossier_accepted")
    for stranger in (tracking, desk, office.an):
        await office.call("GET", f"/dossiers/{code}/contact?purpose=x", stranger, 403)


# ── codes ──


@given(
    st.sampled_from(["H99.02.01", "000.00.04.G18", "G09.20", "H99"]),
    st.dates(date(2018, 1, 1), date(2099, 12, 31)),
    st.integers(1, 10**7),
)
def test_every_code_that_is_given_can_be_taken_apart(agency: str, day: date, number: int) -> None:
    code = parse_code(code_for("{agency}-{yymmdd}-{seq:04d}", agency, day, number))

    assert code
    assert (code.agency, code.day, int(code.number)) == (agency, day, number)


@pytest.mark.parametrize(
    ("text", "root"),
    [("000.00.04.G18-200609-0001", "G18"), ("G09.20-20260609-0092637", "G09"), ("H42.12.05-251231-10000", "H42")],
)
def test_codes_of_other_systems_are_understood(text: str, root: str) -> None:
    code = parse_code(text)

    assert code
    assert code.root == root


@pytest.mark.parametrize("text", ["", "H99-261301-0001", "H99-26112-0001", "H99-261122-001", "h99-261122-0001"])
def test_what_is_no_code_is_none(text: str) -> None:
    assert parse_code(text) is None


SAME_FILE = """
INSERT INTO upload (id, draft_id, component_code, file_name, content_type, size, sha256, created_at, verdict, pages)
SELECT gen_random_uuid(), d.id, u.component_code, u.file_name, u.content_type, u.size, u.sha256, u.created_at, 'clean',
    1
FROM draft d, upload u WHERE d.id <> u.draft_id AND u.draft_id = $1
"""


async def test_fifty_sendings_at_once_get_fifty_codes(office: Office) -> None:
    drafts = [await office.draft() for _ in range(50)]
    await office.upload(drafts[0], pdf())
    await office.db.execute(SAME_FILE, UUID(drafts[0]))

    sent = await asyncio.gather(*map(office.submission, drafts))

    assert len({each["code"] for each in sent}) == 50
    assert await office.db.fetchval("SELECT count(*) FROM dossier") == 50


# ── people ──


def test_an_account_answers_what_the_catalogue_says_it_knows_and_replaces_nothing() -> None:
    fields = (
        FormField("owner_name", "Tên", "text", prefill="account.name"),
        FormField("owner_dob", "Ngày sinh", "date", prefill="account.birth_date"),
        FormField("business_phone", "Điện thoại", "text", prefill="account.phone"),
        FormField("trade", "Ngành nghề", "text"),
    )
    known = Person(name="Nguyễn Thị An", birth_date=date(1990, 3, 8), phone="+84900000001")

    filled = from_account(EForm("Đơn", {}, fields), {"business_phone": "0911"}, known)

    assert filled == {"owner_name": "Nguyễn Thị An", "owner_dob": "1990-03-08"}


@pytest.mark.parametrize(
    ("person", "wrong"),
    [
        (Person(name="An", identity_number="000190000001"), set()),
        (Person(name="An", identity_number="C1234567"), set()),
        (Person(name="An", identity_number="1234"), {"owner.identity_number"}),
        (Person(type=OwnerType.BUSINESS, name="A", identity_number="0100047516"), set()),
        (Person(type=OwnerType.BUSINESS, name="A", identity_number="0100047517"), {"owner.identity_number"}),
        (Person(), {"owner.name", "owner.identity_number"}),
        (Person(name="An", identity_number="000190000001", email="an"), {"owner.email"}),
    ],
)
def test_what_is_wrong_about_a_person(person: Person, wrong: set[str]) -> None:
    assert {fault.field for fault in person_faults(person, "owner", must_be_known=True)} == wrong


def test_what_is_only_unlikely_is_no_fault() -> None:
    person = Person(name="An", identity_number="000190000001", birth_date=date(1991, 1, 1), phone="123456789")

    assert [*person_faults(person, "owner", must_be_known=True)] == []
    assert {fault.field for fault in person_warnings(person, "owner")} == {"owner.birth_date", "owner.phone"}
