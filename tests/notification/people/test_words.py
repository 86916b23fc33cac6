"""The texts of the tenant's templates."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from services.notification.commands import commands
from services.notification.people import domain, tenant, words
from services.notification.people.domain import RULES
from services.notification.people.preview.domain import GSM7, SEGMENT, Size, size
from tests.notification import story

ABOUT = domain.correspondence(story.submitted())
EVENTS = {type(event): event for event in [*story.all_events(), *story.of_the_clock(), story.interlinked()]}


@pytest.mark.parametrize("event", RULES, ids=lambda event: event.__name__)
def test_every_text_finds_its_words_and_the_short_one_fits_a_segment(event: type) -> None:
    about = replace(ABOUT, dossier_code=EVENTS[event].dossier_code)
    (message, *_) = domain.messages(EVENTS[event], about, tenant.province())
    letter = words.letter(message.template, message.words)
    short = words.short(message.template, message.words)
    assert about.dossier_code in letter.subject
    assert about.dossier_code in letter.body
    assert about.dossier_code in short
    assert len(short) <= SEGMENT
    assert not short.endswith("...")
    assert set(short) <= GSM7


def test_the_text_with_the_code_is_the_catalogues() -> None:
    (message, *_) = domain.messages(story.submitted(), ABOUT, tenant.province())
    assert words.short(message.template, message.words) == (
        "Ho so H99.02.01-261122-0001 da duoc gui luc 08:40 23/11/2026. Tra cuu: dichvucong.anbinh.example.vn"
    )


def test_folding_leaves_plain_letters_only() -> None:
    assert words.folded("Đã thu 16.000 đồng – biên lai “số” 1…") == 'Da thu 16.000 dong - bien lai "so" 1...'
    assert words.folded("phường Hòa Lạc ☂") == "phuong Hoa Lac ?"


def test_what_does_not_fit_a_segment_is_cut() -> None:
    (message, *_) = domain.messages(story.issued(5), ABOUT, tenant.province())
    cut = words.short(message.template, {**message.words, "place": "Bộ phận Một cửa " * 20})
    assert len(cut) == SEGMENT
    assert cut.endswith("...")


def template(folder: Path, body: str = "x", **changed: Any) -> Path:
    path = folder / "fee_paid.yaml"
    fields: dict[str, Any] = {
        "key": "fee_paid", "version": 1, "event": "ReceiptIssued", "subject": "s", "body": body, "sms": "s",
        "channels": {"in_app": "always", "email": "always", "sms": "never"},
    }  # fmt: skip
    path.write_text(yaml.safe_dump({**fields, **changed}, allow_unicode=True), "utf-8")
    return path


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"body": "{{ code.__class__.__mro__ }}"}, "body: .*__class__.* unsafe"),
        ({"body": "{{ full_name }}"}, "body: full_name: not among"),
        ({"body": "{{ range(9) }}"}, "body: range: not among"),
        ({"body": "{{ code "}, "body: .* line 1"),
        ({"body": "{{ code + 1 }}"}, "body: it does not render: TypeError"),
        ({"body": "{{ code * 100000 }}"}, "body: longer than 10000"),
        ({"body": ""}, "body: a text is missing"),
        ({"en": {"subject": "s", "body": "{{ name }}", "sms": "s"}}, r"en\.body: name: not among"),
        ({"en": "Dear"}, "en: not a list"),
        ({"smss": "x"}, "smss: no such field"),
        ({"version": 0}, "version: "),
        ({"event": "FeePaid"}, "event: must be ReceiptIssued"),
        ({"channels": {"in_app": "always", "email": "never", "sms": "never"}}, "channels"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_template_that_is_not_right_is_refused_with_its_file_and_field(
    tmp_path: Path, changed: dict[str, Any], why: str
) -> None:
    with pytest.raises(words.TemplateRefused, match=rf"fee_paid\.yaml: {why}"):
        words.read(template(tmp_path, **changed))


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(words.TemplateRefused, match=r"nowhere\.yaml"):
        words.read(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("event", RULES, ids=lambda event: event.__name__)
def test_a_rule_gives_the_words_that_it_promises(event: type) -> None:
    (message, *_) = domain.messages(EVENTS[event], ABOUT, tenant.province())
    assert set(message.words) == RULES[event].variables


def test_what_fails_with_the_words_of_a_message_says_nothing_at_all() -> None:
    with pytest.raises(words.TemplateFailed) as failed:
        words.letter("dossier_accepted", {"code": "H99"})
    assert "H99" not in str(failed.value)


def test_who_prefers_english_reads_english_where_there_is_some() -> None:
    (message, *_) = domain.messages(story.accepted(2), ABOUT, tenant.province())
    assert words.letter(message.template, message.words, "en").subject == f"Dossier {story.CODE} has been accepted"
    assert words.letter(message.template, message.words, "fr").subject == f"Hồ sơ {story.CODE} đã được tiếp nhận"


# ── previews ──


@pytest.mark.parametrize("key", words.KEYS)
def test_every_template_of_the_tenant_can_be_previewed_and_fits_a_segment_with_usual_words(key: str) -> None:
    for one in words.preview(words.texts()[key]):
        assert one.sms.size.segments == 1, one.sms.full
        assert one.sms.size.alphabet == "GSM-7"
        assert one.subject
        assert one.body


@pytest.mark.parametrize(
    ("text", "alphabet", "characters", "segments"),
    [
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("ế" * 70, "UCS-2", 70, 1),
        ("ế" * 71, "UCS-2", 71, 2),
        ("😀" * 36, "UCS-2", 72, 2),
    ],
)
def test_a_text_is_counted_as_phone_companies_do(text: str, alphabet: str, characters: int, segments: int) -> None:
    assert size(text) == Size(alphabet, characters, segments)


def test_a_text_that_will_be_cut_is_warned_of(tmp_path: Path) -> None:
    (usual,) = words.preview(words.read(template(tmp_path, sms="x" * 200)))
    (rare,) = words.preview(words.read(template(tmp_path, sms="{{ amount }} " * 14)))
    assert usual.sms.is_cut
    assert "bị cắt ngay cả" in usual.warnings[0]
    assert not rare.sms.is_cut
    assert "từ dài nhất" in rare.warnings[0]


def test_an_operator_previews_a_template_by_its_key(tmp_path: Path) -> None:
    shown = CliRunner().invoke(commands, ["dossier_accepted"])
    assert "Ho so H99.02.01-261122-0001 da duoc tiep nhan" in shown.output
    assert "GSM-7, 1 segment" in shown.output
    refused = CliRunner().invoke(commands, ["fee_paid", "--file", str(template(tmp_path, "{{ name }}"))])
    assert refused.exit_code == 1
    assert "REFUSED  body: name" in refused.output
