"""The texts of the tenant's templates."""

from dataclasses import replace
from pathlib import Path

import pytest
from jinja2.exceptions import SecurityError

from services.notification.people import domain, words
from services.notification.people.domain import RULES
from tests.notification import story

ABOUT = domain.correspondence(story.submitted())
EVENTS = {type(event): event for event in [*story.all_events(), *story.of_the_clock(), story.interlinked()]}


@pytest.mark.parametrize("event", RULES, ids=lambda event: event.__name__)
def test_every_text_finds_its_words_and_the_short_one_fits_a_segment(event: type) -> None:
    about = replace(ABOUT, dossier_code=EVENTS[event].dossier_code)
    (message, *_) = domain.messages(EVENTS[event], about, words.province())
    letter = words.letter(message.template, message.words)
    short = words.short(message.template, message.words)
    assert about.dossier_code in letter.subject
    assert about.dossier_code in letter.body
    assert about.dossier_code in short
    assert len(short) <= words.SEGMENT
    assert not short.endswith("...")
    assert set(short) <= words.GSM7


def test_the_text_with_the_code_is_the_catalogues() -> None:
    (message, *_) = domain.messages(story.submitted(), ABOUT, words.province())
    assert words.short(message.template, message.words) == (
        "Ho so H99.02.01-261122-0001 da duoc gui luc 08:40 23/11/2026. Tra cuu: dichvucong.anbinh.example.vn"
    )


def test_folding_leaves_plain_letters_only() -> None:
    assert words.folded("Đã thu 16.000 đồng – biên lai “số” 1…") == 'Da thu 16.000 dong - bien lai "so" 1...'
    assert words.folded("phường Hòa Lạc ☂") == "phuong Hoa Lac ?"


def test_what_does_not_fit_a_segment_is_cut() -> None:
    (message, *_) = domain.messages(story.issued(5), ABOUT, words.province())
    cut = words.short(message.template, {**message.words, "place": "Bộ phận Một cửa " * 20})
    assert len(cut) == words.SEGMENT
    assert cut.endswith("...")


def template(folder: Path, body: str, channels: str = "{in_app: always, email: always, sms: never}") -> Path:
    path = folder / "fee_paid.yaml"
    path.write_text(f'key: fee_paid\nversion: 1\nchannels: {channels}\nsubject: s\nbody: "{body}"\nsms: s\n', "utf-8")
    return path


RECEIPT = next(rule for rule in RULES.values() if rule.template == "fee_paid")


def test_a_template_cannot_reach_into_python(tmp_path: Path) -> None:
    text = words._read(template(tmp_path, "{{ code.__class__.__mro__ }}"), RECEIPT)
    with pytest.raises(SecurityError):
        text.body.render(code="x")


def test_a_template_that_uses_a_word_it_is_not_given_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(words.TemplateRefused, match="full_name: not among"):
        words._read(template(tmp_path, "{{ full_name }}"), RECEIPT)


@pytest.mark.parametrize("event", RULES, ids=lambda event: event.__name__)
def test_a_rule_gives_the_words_that_it_promises(event: type) -> None:
    (message, *_) = domain.messages(EVENTS[event], ABOUT, words.province())
    assert set(message.words) == RULES[event].variables


def test_a_template_may_word_but_not_decide(tmp_path: Path) -> None:
    path = template(tmp_path, "x", "{in_app: always, email: never, sms: never}")
    with pytest.raises(words.TemplateRefused, match="channels"):
        words._read(path, RECEIPT)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(words.TemplateRefused, match=r"nowhere\.yaml"):
        words._read(tmp_path / "nowhere.yaml", RECEIPT)
