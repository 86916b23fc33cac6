"""HTTP in: templates before anybody gets them, for those who word them."""

from typing import Annotated

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from contracts.refusal import Refusal
from kit.auth import OfficerToken, officer
from kit.http import Router
from kit.problems import NotFound
from services.notification.people import words
from services.notification.people.preview.domain import Phone, Preview

router = Router(prefix="/api/v1", tags=["Mẫu thông báo"])

Editor = Annotated[OfficerToken, Depends(officer("system_admin", "catalogue_editor"))]
Key = Annotated[str, Path(pattern="^[a-z_]{1,40}$", examples=["dossier_accepted"])]


class TemplateUnusable(Refusal):
    """The template is not what the rules need; `detail` names the field and why."""

    status = 422
    title = "Mẫu thông báo chưa dùng được"
    title_en = "The template cannot be used"


class TemplateLine(BaseModel):
    """One of the tenant's templates."""

    key: str
    version: int
    event: str | None
    """What makes it go out; null for one-time passwords."""
    channels: dict[str, str]
    languages: list[str]


class PhoneView(BaseModel):
    """A text message as it is sent and counted."""

    text: str
    """What the phone gets: without diacritics, cut to one segment."""
    alphabet: str = Field(examples=["GSM-7"])
    characters: int
    """Of the whole text, before it is cut."""
    segments: int
    """How many messages the whole text would be paid for."""
    cut: bool


class LanguageView(BaseModel):
    """The template in one language, with example words."""

    language: str
    subject: str
    body: str
    sms: PhoneView
    sms_longest: PhoneView
    """With the longest words to be expected."""


class PreviewView(BaseModel):
    key: str
    version: int
    languages: list[LanguageView]
    warnings: list[str]


class Draft(BaseModel):
    """A template that is not in place yet."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=40_000)
    """The whole file, as it would stand in `templates/<key>.yaml`."""


@router.get("/templates")
async def templates(_: Editor) -> list[TemplateLine]:
    """Every template in use, with its version and languages."""
    return [
        TemplateLine(
            key=text.key, version=text.version, event=words.EVENT_OF.get(text.key),
            channels=words.RULE_OF[text.key].channels if text.key in words.RULE_OF else {"sms": "always"},
            languages=list(text.wordings),
        )
        for text in words.texts().values()
    ]  # fmt: skip


@router.get("/templates/{key}/preview")
async def preview(_: Editor, key: Key) -> PreviewView:
    """The template in use, rendered with example words over every channel."""
    if key not in words.KEYS:
        raise NotFound("Không có mẫu thông báo này")
    return _view(words.texts()[key])


@router.post("/templates/{key}/preview")
async def preview_draft(_: Editor, key: Key, draft: Draft) -> PreviewView:
    """A template before it is put in place: checked and rendered as the service would, and kept nowhere."""
    if key not in words.KEYS:
        raise NotFound("Không có mẫu thông báo này")
    try:
        return _view(words.parse(key, draft.text))
    except (words.TemplateRefused, words.TemplateFailed) as no:
        raise TemplateUnusable(str(no)) from None


def _view(text: words.Text) -> PreviewView:
    made = words.preview(text)
    warnings = [warning for one in made for warning in one.warnings]
    return PreviewView(
        key=text.key, version=text.version, languages=[_language(one) for one in made], warnings=warnings
    )


def _language(one: Preview) -> LanguageView:
    return LanguageView(
        language=one.language, subject=one.subject, body=one.body,
        sms=_phone(one.sms), sms_longest=_phone(one.sms_longest),
    )  # fmt: skip


def _phone(phone: Phone) -> PhoneView:
    size = phone.size
    return PhoneView(
        text=phone.text, alphabet=size.alphabet, characters=size.characters, segments=size.segments, cut=phone.is_cut
    )
