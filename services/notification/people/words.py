"""The texts of the tenant's templates: sandboxed, versioned, and without diacritics where a phone needs it."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kit.db import Database
from kit.settings import load
from services.notification.people.domain import CODE_TEMPLATES, RULES, Letter, Province, Rule
from services.notification.settings import Settings

SEGMENT = 160
"""Characters of one text message in the GSM-7 alphabet."""
GSM7 = frozenset(
    "@£$¥\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_PLAIN = str.maketrans({"đ": "d", "Đ": "D", "–": "-", "—": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "…": "..."})

_PARTS = ("subject", "body", "sms")
_jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


class TemplateRefused(Exception):
    """A template of the tenant is not what the rules need; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Text:
    """One template as the tenant wrote it."""

    key: str
    version: int
    subject: Template
    body: Template
    sms: Template


@cache
def texts() -> Mapping[str, Text]:
    """The tenant's templates by key; TemplateRefused if one is missing or does not fit its rule."""
    folder = Path(load(Settings).tenant, "templates")
    news = {rule.template: _read(folder / f"{rule.template}.yaml", rule) for rule in RULES.values()}
    return news | {name: _text(folder / f"{name}.yaml", may_say) for name, may_say in CODE_TEMPLATES.items()}


async def check(_: Database) -> None:
    """At the start of the service: better no service than events that nobody can be told of."""
    texts()
    province()


def _read(path: Path, rule: Rule) -> Text:
    return _text(path, rule.variables, rule.channels)


def _text(path: Path, may_say: frozenset[str], channels: dict[str, str] | None = None) -> Text:
    if not path.exists():
        raise TemplateRefused(f"{path} is missing")
    raw: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    if channels and raw["channels"] != channels:
        raise TemplateRefused(f"{path}: the channels are {channels} by the rules, a template cannot change that")
    used = set().union(*(meta.find_undeclared_variables(_jinja.parse(raw[part])) for part in _PARTS))
    if strangers := used - may_say:
        raise TemplateRefused(f"{path}: {', '.join(sorted(strangers))}: not among {', '.join(sorted(may_say))}")
    subject, body, sms = (_jinja.from_string(raw[part]) for part in _PARTS)
    return Text(raw["key"], raw["version"], subject, body, sms)


@cache
def province() -> Province:
    """The words that are the same in every message of this tenant."""
    settings = load(Settings)
    tenant = yaml.safe_load(Path(settings.tenant, "tenant.yaml").read_text("utf-8"))
    units = yaml.safe_load(Path(settings.tenant, "units.yaml").read_text("utf-8"))["units"]
    return Province(
        host=tenant["portal_host"],
        portal=settings.gateway_url.rstrip("/") or f"https://{tenant['portal_host']}",
        unit_names={unit["id"]: unit["name"] for unit in units},
        result_places={unit["id"]: unit["result_place"] for unit in units if unit["result_place"]},
    )


def letter(template: str, words: Mapping[str, str]) -> Letter:
    """The message with its diacritics."""
    text = texts()[template]
    return Letter(subject=text.subject.render(words).strip(), body=text.body.render(words))


def short(template: str, words: Mapping[str, str]) -> str:
    """The message for a phone: plain letters, one segment; what does not fit is cut and ends with dots."""
    text = folded(texts()[template].sms.render({name: folded(word) for name, word in words.items()})).strip()
    return text if len(text) <= SEGMENT else text[: SEGMENT - 3] + "..."


def folded(text: str) -> str:
    """Without diacritics, and with nothing that the GSM-7 alphabet does not have."""
    bare = unicodedata.normalize("NFD", text.translate(_PLAIN))
    letters = unicodedata.normalize("NFC", "".join(c for c in bare if not unicodedata.combining(c)))
    return "".join(c if c in GSM7 else "?" for c in letters)
