"""The history of a dossier is a hash chain: whoever holds the file and a printed head finds any tampering, offline."""

import asyncio
import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from deploy.local import databases
from deploy.local.databases import Place, Role
from deploy.local.infra import Infra
from kit import db, ops
from services.dossier.commands import commands
from services.dossier.history import domain, store
from services.dossier.history.domain import START, Head, NotAHead
from services.dossier.results.keys import Keys
from services.dossier.settings import Settings
from tests.dossier.office import AN, Office

ROOT = Path(__file__).parents[2]
CODE = "H99.02.01-261122-0001"


def chained(*reasons: str | None) -> list[dict[str, Any]]:
    """A history of as many lines, as the database would have written it."""
    lines: list[dict[str, Any]] = []
    for no, reason in enumerate(reasons, 1):
        salt = f"{no:032x}" if reason is not None else None
        line: dict[str, Any] = {
            "act": f"act{no}", "actor": str(AN), "at": f"2026-11-22T01:0{no}:00.000000Z", "dossier": CODE,
            "from": None if no == 1 else "submitted", "label": f"D{no}", "no": no,
            "prev": lines[-1]["hash"] if lines else START, "to": "accepted", "unit": "H99.02.01", "v": 1,
            "salt": salt, "reason": reason,
            "reason_digest": domain.reason_digest(salt, reason) if salt and reason is not None else None,
        }  # fmt: skip
        lines.append(line | {"hash": domain.line_hash(line)})
    return lines


LINES = chained(None, "Thiếu chữ ký", None, "Đã đủ", None)
TEXT = domain.write(CODE, LINES)
HEAD = Head(5, LINES[-1]["hash"])


def why(text: str, *heads: Head) -> list[str]:
    try:
        return [str(fault) for fault in domain.check(text, *heads)]
    except domain.NotAHistory as exc:
        return [str(exc)]


def rewritten(lines: list[dict[str, Any]], **head: Any) -> str:
    """A file whose own head was made to fit."""
    first = {"dossier": CODE, "format": domain.FORMAT, "hash": lines[-1]["hash"], "lines": len(lines)}
    return "".join(domain.canonical(entry) + "\n" for entry in (first | head, *lines))


def test_what_nobody_touched_is_right() -> None:
    assert why(TEXT, HEAD, Head(2, LINES[1]["hash"])) == []


# ── tampering ──


@given(st.data())
def test_any_byte_that_is_changed_is_found(data: st.DataObject) -> None:
    raw = bytearray(TEXT.encode())
    raw[data.draw(st.integers(0, len(raw) - 1), "where")] ^= data.draw(st.integers(1, 255), "how")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return  # found by the command before the text is looked at
    assert why(text), "a changed byte passed"


@given(st.data())
def test_any_field_that_is_rewritten_is_found(data: st.DataObject) -> None:
    lines = [dict(line) for line in LINES]
    line = data.draw(st.sampled_from(lines))
    field = data.draw(st.sampled_from(sorted(domain.TOLD)))
    value = data.draw(st.one_of(st.none(), st.text(), st.integers()).filter(lambda value: value != line[field]))
    line[field] = value
    assert why(rewritten(lines)), f"{field} of line {line['no']} passed"


@given(st.permutations(range(5)).filter(lambda order: list(order) != list(range(5))))
def test_any_other_order_is_found(order: list[int]) -> None:
    assert why(rewritten([LINES[at] for at in order]))


@given(st.sets(st.integers(0, 4), min_size=1, max_size=4))
def test_any_removed_lines_are_found(gone: set[int]) -> None:
    left = [line for at, line in enumerate(LINES) if at not in gone]
    assert why(rewritten(left), HEAD)


@pytest.mark.parametrize("at", range(5))
def test_a_chain_that_was_forged_as_a_whole_does_not_lead_to_the_printed_head(at: int) -> None:
    reasons = [line["reason"] for line in LINES]
    reasons[at] = "viết lại"

    (said,) = why(domain.write(CODE, chained(*reasons)), HEAD)

    assert "written anew" in said


# ── it says which line ──


def edited(at: int, **fields: Any) -> str:
    lines = [dict(line) for line in LINES]
    lines[at] |= fields
    return rewritten(lines)


def test_it_names_the_line_that_was_changed() -> None:
    assert why(edited(2, unit="H99.02.02")) == ["line 3: it was changed: its content does not give its hash"]
    assert why(edited(1, reason="Thiếu tờ khai")) == ["line 2: its reason was changed"]


def test_it_names_the_line_that_is_missing() -> None:
    assert why(rewritten([LINES[0], *LINES[2:]])) == ["line 3: line 2 is missing before it"]
    assert why(rewritten([LINES[0], *LINES[3:]])) == ["line 4: lines 2 to 3 are missing before it"]
    assert why(rewritten(LINES[:3]), HEAD) == [
        "the known head is line 5, and the file ends at line 3: lines are missing"
    ]


def test_it_names_the_lines_that_were_swapped() -> None:
    said = why(rewritten([LINES[0], LINES[2], LINES[1], LINES[3], LINES[4]]))
    assert said[0] == "line 3: line 2 is missing before it"
    assert "line 2 stands in its place: lines were moved or repeated" in said[1]


def test_a_replaced_line_breaks_the_chain_behind_it() -> None:
    other = LINES[1] | {"act": "withdraw"}
    replaced = other | {"hash": domain.line_hash(other)}
    said = why(rewritten([LINES[0], replaced, *LINES[2:]]))
    assert said == ["line 3: it does not continue the line before it: one of the two was replaced"]


def test_without_the_reasons_the_chain_still_holds() -> None:
    withheld = [line | {"reason": None, "salt": None} for line in LINES]
    assert why(rewritten(withheld), HEAD) == []


def test_a_head_is_read_from_what_the_code_says_and_nothing_else() -> None:
    printed = domain.with_head("https://dichvucong.anbinh.example.vn/tra-cuu?ma=x", HEAD)
    assert domain.head_of(printed) == domain.head_of(str(HEAD)) == HEAD
    for wrong in ("", "5", "0." + "a" * 64, "5." + "A" * 64, printed + "0", "x" + str(HEAD)):
        with pytest.raises(NotAHead):
            domain.head_of(wrong)


# ── what the service writes ──


async def history_file(office: Office, code: str, who: dict[str, str]) -> str:
    answer = await office.http.get(f"/api/v1/dossiers/{code}/history-file", headers=who)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_every_act_continues_the_chain(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")
    before = domain.read(await history_file(office, code, office.an))[0]
    await office.act(code, "proposal")

    text = await history_file(office, code, office.officers["desk"])

    assert why(text, Head(before["lines"], before["hash"])) == []
    assert [line["act"] for line in domain.read(text)[1]] == ["submit", "accept", "assign", "propose"]
    assert "Nguyễn" not in text, "people are in it by opaque references"
    for stranger in (office.binh, office.strangers["desk"]):
        assert (await office.http.get(f"/api/v1/dossiers/{code}/history-file", headers=stranger)).status_code == 404


async def test_reasons_with_any_letters_hash_as_the_database_hashes_them(office: Office) -> None:
    code = await office.submitted()
    nasty = 'Dòng "một"\n\tdòng \\ hai \u2028 \u007f \x01 ’ 😀 /'
    await office.db.execute(
        "INSERT INTO history (dossier_code, act, label, at, to_state, unit, reason)"
        " VALUES ($1, $2, $2, now(), 'x', $2, $2)",
        code, nasty,
    )  # fmt: skip
    assert why(await history_file(office, code, office.an)) == []


async def test_a_history_from_before_the_chain_gets_one(infra: Infra, monkeypatch: pytest.MonkeyPatch) -> None:
    """The migration links what was written before it."""
    owner, app = Role("test_history_owner", "test"), Role("test_history_app", "test")
    place = Place(infra.postgres, f"test_history_{secrets.token_hex(4)}", owner, app)
    await databases.ensure(place)
    try:
        files = db._files
        with monkeypatch.context() as before:
            before.setattr(db, "_files", lambda name: [file for file in files(name) if not NEW <= file[0] < "e"])
            await db.migrate(place.migration_url, "dossier", place.database_url)
        rows = await _linked(place)
    finally:
        await databases.drop(infra.postgres, place.database)
    assert [row["no"] for row in rows] == [1, 2, 1]
    assert [row["prev"] for row in rows] == [START, rows[0]["hash"], START]
    assert [row["hash"] for row in rows] == [domain.line_hash(row) for row in rows]
    assert rows[1]["reason_digest"] == domain.reason_digest(rows[1]["salt"], "vì thế")


async def _linked(place: Place) -> list[dict[str, Any]]:
    """Lines of two dossiers from before, after the migration."""
    connection = await asyncpg.connect(place.migration_url)
    try:
        await connection.execute("ALTER TABLE history DROP CONSTRAINT history_dossier_code_fkey")
        for code, reason in (("A", None), ("B", "vì sao"), ("A", "vì thế")):
            await connection.execute(OLD_LINE, code, reason)
        await db.migrate(place.migration_url, "dossier", place.database_url)
        return [dict(row) for code in "AB" for row in await connection.fetch(store.CHAIN, code)]
    finally:
        await connection.close()


NEW = "dossier/0008"
OLD_LINE = "INSERT INTO history (dossier_code, act, label, at, to_state, reason) VALUES ($1, 'a', 'D1', now(), 'x', $2)"


# ── the command ──


@pytest.fixture
def roots(settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "root.der"
    path.write_bytes(Keys.of(settings).roots[0].dump())
    return path


async def verify(*arguments: str | Path) -> Result:
    """The command, in a thread of its own because it runs a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, commands, list(map(str, arguments)))


def test_operators_have_the_command_when_nothing_runs(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(TEXT, "utf-8")
    program = "import sys; from kit import ops; ops.cli('dossier')(sys.argv[1:])"
    command = [sys.executable, "-c", program, "verify-history", str(file)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={})
    assert said.returncode == 0, said.stderr
    assert ops.needs_nothing("dossier", "verify-history")
    assert not ops.needs_nothing("dossier", "migrate")
    assert not ops.needs_nothing("payment", "verify-history")


async def test_the_command_checks_a_history_against_the_signed_result(
    office: Office, tmp_path: Path, roots: Path
) -> None:
    code = await office.issued()
    file, result = tmp_path / "history.jsonl", tmp_path / "result.pdf"
    text = await history_file(office, code, office.an)
    file.write_text(text, "utf-8")
    result.write_bytes(await office.download(await office.call("GET", f"/dossiers/{code}/result", office.an)))

    right = await verify(file, "--result", result, "--trust-roots", roots)
    assert right.exit_code == 0, right.output
    assert "lines 1 to 5 are the ones" in right.output, "all up to the leader's signature"

    file.write_text(text.replace('"act":"accept"', '"act":"accost"'), "utf-8")
    wrong = await verify(file, "--result", result, "--trust-roots", roots)
    assert wrong.exit_code == 1
    assert "line 2: it was changed" in wrong.output

    file.write_text(text, "utf-8")
    touched = bytearray(result.read_bytes())
    touched[len(touched) // 2] ^= 1
    result.write_bytes(touched)
    assert (await verify(file, "--result", result, "--trust-roots", roots)).exit_code == 1


async def test_the_command_says_what_a_forged_file_cannot_hide(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(TEXT, "utf-8")
    assert "no head was given" in (await verify(file)).output
    assert (await verify(file, "--head", str(HEAD))).exit_code == 0
    forged = json.loads(json.dumps(chained(None, "viết lại", None, "Đã đủ", None)))
    file.write_text(domain.write(CODE, forged), "utf-8")
    assert (await verify(file)).exit_code == 0
    assert "written anew" in (await verify(file, "--head", str(HEAD))).output
    assert (await verify(file, "--head", "nonsense")).exit_code == 2
    file.write_bytes(b"\xff\xfe")
    assert (await verify(file)).exit_code == 1
