"""A commune's office for tests: people with tokens, files, keys, and the acts of a dossier's life over HTTP."""

import hashlib
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey
from pypdf import PdfWriter

from contracts.payment import FeePaid, PaymentMethod
from kit.clock import now
from kit.db import Database
from services.dossier import subscribers, tenant
from services.dossier.catalogue.domain import Procedure

ISSUER = "http://127.0.0.1:8101"
UNIT, OTHER_UNIT = "H99.02.01", "H99.02.02"
PROCEDURE = "2.000635"
PASSWORD = "only for tests"
AN, BINH = UUID(int=0xA1), UUID(int=0xB1)
OFFICERS = {role: UUID(int=number) for number, role in enumerate(("desk", "specialist", "leader", "clerk"), 0x100)}
ANSWERS = {"event_type": "birth", "person_name": "Nguyễn Thị An", "copies": 2}


TENANT = "deploy/tenants/an-binh"


def procedure(code: str = PROCEDURE) -> Procedure:
    """One of the fictional province's procedures."""
    return next(each for each in tenant.procedures(TENANT) if each.code == code)


def pdf(text: str = "Tờ khai") -> bytes:
    """A real PDF of one page."""
    writer = PdfWriter()
    writer.add_blank_page(595, 842)
    writer.add_metadata({"/Title": text})
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Identity:
    """Signs tokens the way identity does."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "test", "alg": "ES256", "use": "sig"})

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def token(self, subject: UUID, kind: str, **claims: Any) -> dict[str, str]:
        """The Authorization header of somebody."""
        moment = int(datetime.now(UTC).timestamp())
        body = {
            "iss": ISSUER, "aud": "dossier", "sub": str(subject), "kind": kind, "auth_time": moment, "iat": moment,
            "exp": moment + 600, "jti": str(moment), **claims,
        }  # fmt: skip
        encoded = jwt.encode({"alg": "ES256", "kid": "test", "typ": "at+jwt"}, body, self.key)
        return {"Authorization": f"Bearer {encoded}"}

    def system(self, name: str) -> dict[str, str]:
        """The Authorization header of another system."""
        moment = int(datetime.now(UTC).timestamp())
        body = {"iss": ISSUER, "aud": "dossier", "sub": name, "kind": "system", "iat": moment, "exp": moment + 600}
        encoded = jwt.encode({"alg": "ES256", "kid": "test", "typ": "at+jwt"}, body, self.key)
        return {"Authorization": f"Bearer {encoded}"}


class Office:
    """The dossier service on a fresh database, and those who work with it."""

    def __init__(self, http: httpx2.AsyncClient, db: Database, identity: Identity) -> None:
        self.http, self.db, self.identity = http, db, identity
        self.an = identity.token(AN, "citizen", name="Nguyễn Thị An", acr=2)
        self.binh = identity.token(BINH, "citizen", name="Trần Văn Bình", acr=2)
        self.officers = {
            role: identity.token(ref, "officer", unit=UNIT, roles=[role]) for role, ref in OFFICERS.items()
        }
        self.strangers = {
            role: identity.token(UUID(int=0x200), "officer", unit=OTHER_UNIT, roles=[role]) for role in OFFICERS
        }
        self.everything = identity.token(OFFICERS["specialist"], "officer", unit=UNIT, roles=list(OFFICERS))

    def officer(self, *roles: str, unit: str = UNIT, ref: int = 0x300) -> dict[str, str]:
        """The Authorization header of an officer with these roles."""
        return self.identity.token(UUID(int=ref), "officer", unit=unit, roles=list(roles), name="Hoàng Thu Hà")

    async def call(
        self, method: str, path: str, who: dict[str, str], expect: int = 200, **options: Any
    ) -> dict[str, Any]:
        headers = {**who, **options.pop("headers", {})}
        answer = await self.http.request(method, f"/api/v1{path}", headers=headers, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        body: dict[str, Any] = answer.json() if answer.content else {}
        return body

    async def draft(self, procedure_code: str = PROCEDURE, **changes: Any) -> str:
        """A draft that lacks only its file."""
        body = {"procedure_code": procedure_code, "receiving_unit": UNIT}
        draft = await self.call("POST", "/drafts", self.an, 201, json=body)
        fields = {"answers": ANSWERS, "delivery": "online", **changes}
        await self.call("PATCH", f"/drafts/{draft['id']}", self.an, json=fields)
        draft_id: str = draft["id"]
        return draft_id

    async def announce(
        self,
        draft: str,
        data: bytes,
        kind: str = "application/pdf",
        who: dict[str, str] | None = None,
        component: str = "TP-TL-01",
        **changes: Any,
    ) -> dict[str, Any]:
        """Leave to send a file for a component, the declaration if no other is named."""
        body = {"file_name": "to-khai.pdf", "content_type": kind, "size": len(data), "sha256": sha256(data), **changes}
        path = f"/drafts/{draft}/components/{component}/uploads"
        return await self.call("POST", path, who or self.an, 201, json=body)

    async def upload(self, draft: str, data: bytes, kind: str = "application/pdf", **changes: Any) -> None:
        """A file announced and sent by the browser's form."""
        ticket = await self.announce(draft, data, kind, **changes)
        await self.send_file(ticket, data)

    async def send_file(self, ticket: dict[str, Any], data: bytes, expect: int = 204) -> None:
        async with httpx2.AsyncClient() as browser:
            answer = await browser.post(ticket["url"], data=ticket["fields"], files={"file": ("x", data)})
        assert answer.status_code == expect, answer.text

    async def complete(self, draft: str, ticket: dict[str, Any], expect: int = 200) -> dict[str, Any]:
        """The browser says that the file was sent."""
        return await self.call("POST", f"/drafts/{draft}/uploads/{ticket['upload_id']}/completion", self.an, expect)

    async def submission(self, draft: str, expect: int = 201) -> dict[str, Any]:
        return await self.call("POST", f"/drafts/{draft}/submission", self.an, expect)

    async def submitted(self, **changes: Any) -> str:
        """A dossier that was sent; its code."""
        draft = await self.draft(**changes)
        await self.upload(draft, pdf())
        code: str = (await self.submission(draft))["code"]
        return code

    async def act(
        self, code: str, act: str, who: dict[str, str] | None = None, expect: int = 200, **options: Any
    ) -> dict[str, Any]:
        roles = {
            "acceptance": "desk", "proposal": "specialist", "signature": "leader", "issuance": "clerk",
            "handover": "desk",
        }  # fmt: skip
        return await self.call("POST", f"/dossiers/{code}/{act}", who or self.officers[roles[act]], expect, **options)

    async def issued(self, **changes: Any) -> str:
        """A dossier whose result is signed, sealed and published; its code."""
        code = await self.submitted(**changes)
        await self.act(code, "acceptance")
        await self.act(code, "proposal")
        await self.paid(code)
        await self.act(code, "signature")
        await self.act(code, "issuance")
        return code

    async def paid(self, code: str, outstanding: int = 0) -> None:
        """The payment service says that the fee is there."""
        event = FeePaid(
            version=2, occurred_at=now(), dossier_code=code, assessment_id=UUID(int=7), attempt_id=UUID(int=8),
            amount=16_000, outstanding=outstanding, method=PaymentMethod.GATEWAY, provider="vnpay",
            provider_txn="1", paid_at=now(),
        )  # fmt: skip
        async with self.db.transaction() as tx:
            await subscribers.on_payment(tx, event)

    async def events(self, code: str) -> list[tuple[int, str]]:
        rows = await self.db.fetch("SELECT version, type FROM outbox WHERE key = $1 ORDER BY id", code)
        return [(row["version"], row["type"].split(".")[-2]) for row in rows]

    async def bodies(self, code: str) -> dict[str, Any]:
        """What the dossier's events say, by name."""
        import json

        rows = await self.db.fetch("SELECT type, payload FROM outbox WHERE key = $1 ORDER BY id", code)
        return {row["type"].split(".")[-2]: json.loads(row["payload"]) for row in rows}

    async def download(self, link: dict[str, Any]) -> bytes:
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(link["url"])
        assert answer.status_code == 200
        return answer.content


# ── keys ──

Issued = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def certificate(name: str, issuer: Issued | None = None) -> Issued:
    """A certificate for signing; a root without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    moment = datetime.now(UTC)
    root = issuer is None
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(root), critical=True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    return built, key


def _usage(root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not root, content_commitment=not root, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=root, crl_sign=root, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def p12(folder: Path, name: str, issued: Issued, root: Issued) -> Path:
    path = folder / f"{name}.p12"
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    chain = [root[0]]
    path.write_bytes(pkcs12.serialize_key_and_certificates(name.encode(), issued[1], issued[0], chain, encryption))
    return path
