"""An official form as a signed document: typeset from its facts, sealed by its agency, stored under its SHA-256.

It is made by a job soon after the change that ordered it, or at once when somebody asks earlier. Making it twice is
harmless: the first that is written down is the form.
"""

import asyncio
import hashlib

from kit import files as storage
from kit.db import Database
from kit.files import Files
from kit.settings import load
from kit.timers import Timer
from services.dossier import tenant, typesetting
from services.dossier.forms import store, words
from services.dossier.forms.domain import TITLES, Ordered
from services.dossier.history.domain import with_head
from services.dossier.parties.domain import Particulars
from services.dossier.parties.store import particulars_of
from services.dossier.processing import store as dossiers
from services.dossier.processing.domain import Dossier
from services.dossier.results import signing
from services.dossier.results.keys import Keys
from services.dossier.settings import Settings

PDF = "application/pdf"


async def make(db: Database, job: Timer) -> None:
    """The job: make the form that was ordered, unless somebody asked for it earlier."""
    settings = load(Settings)
    code, _, name = job.key.rpartition("/")
    await made(db, storage.connect(settings), settings, await store.read(db, code, name))


async def made(db: Database, files: Files, settings: Settings, form: Ordered) -> str:
    """The SHA-256 of the signed form, which is made now if it is not there yet."""
    if form.sha256:
        return form.sha256
    dossier = await dossiers.read(db, form.dossier_code)
    people = await particulars_of(db, form.dossier_code)
    pdf = await asyncio.to_thread(_signed, form, dossier, people, settings)
    sha256 = hashlib.sha256(pdf).hexdigest()
    await files.put(f"clean/{sha256}", pdf, PDF)
    return await store.made(db, form, sha256)


def _signed(form: Ordered, dossier: Dossier, people: Particulars, settings: Settings) -> bytes:
    province = tenant.load(settings.tenant)
    facts = words.told(form, dossier, people, province, with_head(lookup_url(settings, dossier.code), form.head or ""))
    document = typesetting.typeset(words.template(form.form), facts, as_of=form.facts.at)
    key = Keys.of(settings).seal(form.facts.unit)
    return signing.seal(signing.add_fields(document), key, reason=TITLES[form.form], at=form.facts.at)


def lookup_url(settings: Settings, code: str) -> str:
    """Where a citizen looks the dossier up; the QR code on every form."""
    host = settings.gateway_url or "https://" + tenant.load(settings.tenant).portal_host
    return f"{host}/tra-cuu?ma={code}"
