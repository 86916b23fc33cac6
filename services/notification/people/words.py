"""The texts of the tenant's templates: sandboxed, versioned, and without diacritics where a phone needs it.

A template is checked whole when the service starts, or when somebody previews it: its fields, the words it uses, and
that each of its texts renders. What gets past that and fails when a message is sent says nothing at all.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kit.db import Database
from kit.settings import load
from services.notification.people import store
from services.notification.people.domain import CODE_TEMPLATES, RULES, Letter, Rule
from services.notification.people.preview.domain import GSM7, SEGMENT, Phone, Preview, examples, size
from services.notification.people.tenant import province, texting
from services.notification.settings import Settings

_PLAIN = str.maketrans({"đ": "d", "Đ": "D", "–": "-", "—": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "…": "..."})

MOTHER_TONGUE = "vi"
"""Every template has it, at its top level; other languages are beside it, by their code."""
LANGUAGES = (MOTHER_TONGUE, "en")
LONGEST = {"subject": 200, "body": 10_000, "sms": 1_000}
"""Characters of a rendered text that nobody writes by intent."""
_FIELDS = {"key", "version", "event", "channels", "variables", *LONGEST, *LANGUAGES[1:]}
_jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
_jinja.globals.clear()  # `range` and the like: a template says words, it does not compute


class TemplateRefused(Exception):
    """A template of the tenant is not what the rules need; the message names the file, the field, and why."""


class TemplateFailed(Exception):
    """A template does not render with the words of a message; the message is never sent, not even in part."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A template in one language."""

    subject: Template
    body: Template
    sms: Template


@dataclass(frozen=True, slots=True)
class Text:
    """One template as the tenant wrote it."""

    key: str
    version: int
    wordings: Mapping[str, Wording]
    """By language; `vi` is always there."""
    sources: Mapping[str, Mapping[str, str]]
    """What was written, by language and part."""

    @property
    def digest(self) -> str:
        """SHA-256 of what was written; comments and the order of fields do not count."""
        return hashlib.sha256(json.dumps(self.sources, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@cache
def texts() -> Mapping[str, Text]:
    """The tenant's templates by key; TemplateRefused if one is missing or does not fit its rule."""
    folder = Path(load(Settings).tenant, "templates")
    return {key: read(folder / f"{key}.yaml") for key in KEYS}


async def check(db: Database) -> None:
    """At the start of the service: better no service than events that nobody can be told of.

    A version is one text for ever: what was sent as version 2 can be read later as version 2. Going back to an earlier
    version is no fault; a new text under an old number is.
    """
    province()
    texting()
    async with db.transaction() as tx:
        for text in texts().values():
            known = await store.keep_text(tx, text.key, text.version, text.digest, text.sources)
            if known.sha256 != text.digest:
                raise TemplateRefused(
                    f"{text.key}: version: {text.version} was another text; a changed text is a new one"
                )
            if known.is_new and text.version < known.newest:
                raise TemplateRefused(f"{text.key}: version: a new text needs a number above {known.newest}")


RULE_OF: Mapping[str, Rule] = {rule.template: rule for rule in RULES.values()}
EVENT_OF: Mapping[str, str] = {rule.template: event.__name__ for event, rule in RULES.items()}
KEYS = (*RULE_OF, *CODE_TEMPLATES)
"""Every template that a tenant must have."""


def read(path: Path) -> Text:
    """The template in that file; TemplateRefused names the file and the field."""
    if not path.exists():
        raise TemplateRefused(f"{path} is missing")
    try:
        return parse(path.stem, path.read_text("utf-8"))
    except TemplateRefused as exc:
        raise TemplateRefused(f"{path}: {exc}") from None


def parse(key: str, written: str) -> Text:
    """The template `key` from its YAML; TemplateRefused names the field."""
    raw = _fields(written)
    rule = RULE_OF.get(key)
    _expect(raw, "key", key)
    if rule:
        _expect(raw, "event", EVENT_OF[key])
        if raw.get("channels") != rule.channels:
            raise TemplateRefused(f"channels: they are {rule.channels} by the rules, a template cannot change that")
    if not isinstance(raw.get("version"), int) or raw["version"] < 1:
        raise TemplateRefused("version: a whole number, 1 or more")
    may_say = rule.variables if rule else CODE_TEMPLATES[key]
    written_in = {MOTHER_TONGUE: raw} | {name: raw[name] for name in LANGUAGES if name in raw}
    sources = {name: _parts(name, parts) for name, parts in written_in.items()}
    wordings = {name: _wording(name, parts, may_say) for name, parts in sources.items()}
    return Text(key, raw["version"], wordings, sources)


def _fields(written: str) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(written)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        raise TemplateRefused(f"not YAML{f', line {mark.line + 1}' if mark else ''}") from None
    if not isinstance(raw, dict):
        raise TemplateRefused("not a list of fields")
    if strangers := {str(name) for name in raw} - _FIELDS:
        raise TemplateRefused(f"{', '.join(sorted(strangers))}: no such field")
    return raw


def _expect(raw: Mapping[str, Any], field: str, value: str) -> None:
    if raw.get(field) != value:
        raise TemplateRefused(f"{field}: must be {value}")


def _parts(language: str, written: Any) -> dict[str, str]:
    if not isinstance(written, dict):
        raise TemplateRefused(f"{language}: not a list of fields")
    for part in LONGEST:
        if not isinstance(written.get(part), str) or not written[part].strip():
            raise TemplateRefused(f"{_place(language, part)}: a text is missing")
    return {part: written[part] for part in LONGEST}


def _place(language: str, part: str) -> str:
    return part if language == MOTHER_TONGUE else f"{language}.{part}"


def _wording(language: str, parts: Mapping[str, str], may_say: frozenset[str]) -> Wording:
    return Wording(**{part: _template(_place(language, part), part, parts[part], may_say) for part in LONGEST})


def _template(place: str, part: str, source: str, may_say: frozenset[str]) -> Template:
    """Refused unless it uses what it is given, and renders with usual words and with the longest ones."""
    try:
        if strangers := meta.find_undeclared_variables(_jinja.parse(source)) - may_say:
            raise TemplateRefused(f"{place}: {', '.join(sorted(strangers))}: not among {', '.join(sorted(may_say))}")
        template = _jinja.from_string(source)
        rendered = [template.render(examples(may_say, longest=longest)) for longest in (False, True)]
    except TemplateError as exc:
        line = getattr(exc, "lineno", None)
        raise TemplateRefused(f"{place}: {exc.message}{f', line {line}' if line else ''}") from None
    except (TypeError, ValueError, ArithmeticError, LookupError) as exc:
        raise TemplateRefused(f"{place}: it does not render: {type(exc).__name__}") from None
    if any(len(text) > LONGEST[part] for text in rendered):
        raise TemplateRefused(f"{place}: longer than {LONGEST[part]} characters")
    return template


# ── a message in words ──


def wording(template: str, language: str | None) -> Wording:
    """In that language if the template has it, else in Vietnamese."""
    wordings = texts()[template].wordings
    return wordings.get(language or MOTHER_TONGUE, wordings[MOTHER_TONGUE])


def letter(template: str, words: Mapping[str, str], language: str | None = None) -> Letter:
    """The message with its diacritics; TemplateFailed if it cannot be said."""
    return written(wording(template, language), words)


def written(text: Wording, words: Mapping[str, str]) -> Letter:
    subject = " ".join(_render(text.subject, words).split())
    return Letter(subject=subject, body=_render(text.body, words))


def short(template: str, words: Mapping[str, str], language: str | None = None) -> str:
    """The message for a phone: plain letters, one segment; what does not fit is cut and ends with dots."""
    return cut(in_plain_letters(wording(template, language), words))


def in_plain_letters(text: Wording, words: Mapping[str, str]) -> str:
    """The text message, however long."""
    return folded(_render(text.sms, {name: folded(word) for name, word in words.items()})).strip()


def cut(text: str) -> str:
    return text if len(text) <= SEGMENT else text[: SEGMENT - 3] + "..."


def _render(template: Template, words: Mapping[str, str]) -> str:
    try:
        return template.render(words)
    except Exception as exc:  # whatever a template may do wrong: its text is in the exception, and words may be
        raise TemplateFailed(type(exc).__name__) from None


def folded(text: str) -> str:
    """Without diacritics, and with nothing that the GSM-7 alphabet does not have."""
    bare = unicodedata.normalize("NFD", text.translate(_PLAIN))
    letters = unicodedata.normalize("NFC", "".join(c for c in bare if not unicodedata.combining(c)))
    return "".join(c if c in GSM7 else "?" for c in letters)


def preview(text: Text) -> list[Preview]:
    """The template in each of its languages, with example words, over every channel."""
    rule = RULE_OF.get(text.key)
    names = rule.variables if rule else CODE_TEMPLATES[text.key]
    return [_preview(language, one, names) for language, one in text.wordings.items()]


def _preview(language: str, text: Wording, names: frozenset[str]) -> Preview:
    letter = written(text, examples(names))
    usual, longest = (_phone(text, examples(names, longest=longest)) for longest in (False, True))
    return Preview(language, letter.subject, letter.body, usual, longest)


def _phone(text: Wording, words: Mapping[str, str]) -> Phone:
    full = in_plain_letters(text, words)
    return Phone(cut(full), full, size(full))
