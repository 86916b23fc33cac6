"""Digital signatures of the PDFs that people send, checked with pyHanko against the operator's trust list.

Nothing is fetched: roots, intermediate certificates and revocation lists are files that the operator mounts and may
replace at any time (they are read again when they change). `valid` needs every signature to be intact, trusted, made
by a certificate that held when it was made (now, or at a trusted time stamp), and followed by nothing but what it
permits. `indeterminate` is what cannot be told here: an unknown issuer, an expired certificate without a time stamp, a
missing revocation list where the configuration demands one. CPU work on what strangers send: see `sandbox`.
"""

# mypy: disallow-untyped-calls=False
# pyHanko annotates only part of what it offers.

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from asn1crypto import crl, pem, x509
from pyhanko.keys import load_certs_from_pemder
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import EmbeddedPdfSignature, async_validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.policy_decl import (
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)

from contracts.dossier import SignatureStatus
from services.dossier.attachments.domain import Revocation, Signature, SignatureReport, SignerType, worst

USAGE = KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"})
BROKEN = (PdfError, SignatureValidationError, ValueError, KeyError, TypeError, IndexError, AttributeError)
"""What a damaged file makes pyHanko raise, wherever it meets the damage."""


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """Where the operator keeps what signatures are checked against: files or folders, PEM or DER."""

    public: str = ""
    """Certificates of the public CAs that vouch for citizens, organisations and businesses."""
    official: str = ""
    """Those that vouch for officers and agencies."""
    revocation_lists: str = ""
    must_know_revocation: bool = False
    """Whether a signature counts only when a revocation list says that its certificate holds."""


@dataclass(frozen=True, slots=True)
class _Trust:
    public: tuple[x509.Certificate, ...]
    official: tuple[x509.Certificate, ...]
    revocation_lists: tuple[crl.CertificateList, ...]
    must_know_revocation: bool

    @property
    def roots(self) -> list[x509.Certificate]:
        return [certificate for certificate in (*self.public, *self.official) if certificate.self_signed != "no"]

    @property
    def others(self) -> list[x509.Certificate]:
        return [certificate for certificate in (*self.public, *self.official) if certificate.self_signed == "no"]

    def has_list_of(self, issuer: x509.Name, moment: datetime) -> bool:
        """Whether there is a revocation list of that issuer which has not run out."""
        lists = (entry["tbs_cert_list"] for entry in self.revocation_lists if entry.issuer == issuer)
        return any((ends := one["next_update"].native) is None or ends >= moment for one in lists)

    def context(self, certificate: x509.Certificate, moment: datetime) -> ValidationContext:
        """A list that is there counts, whether or not the certificate says where to find it."""
        known = self.has_list_of(certificate.issuer, moment)
        required, otherwise = RevocationCheckingRule.CRL_OR_OCSP_REQUIRED, RevocationCheckingRule.CHECK_IF_DECLARED_SOFT
        rules = RevocationCheckingPolicy(
            ee_certificate_rule=required if known or self.must_know_revocation else otherwise,
            intermediate_ca_cert_rule=required if self.must_know_revocation else otherwise,
        )
        return ValidationContext(
            trust_roots=self.roots, other_certs=self.others, crls=self.revocation_lists, moment=moment,
            allow_fetching=False, revinfo_policy=CertRevTrustPolicy(rules, retroactive_revinfo=True),
        )  # fmt: skip


def verify(data: bytes, content_type: str, files: TrustFiles, moment: datetime) -> SignatureReport:
    """What checking every signature in the file gives at that moment."""
    trust = _load(files, _stamps(files))
    report = SignatureReport(SignatureStatus.NOT_SIGNED, moment, trust_anchors=len(trust.roots))
    if content_type != "application/pdf" or b"/ByteRange" not in data:
        return report
    try:
        found = PdfFileReader(BytesIO(data)).embedded_regular_signatures
        each = asyncio.run(_verify_each(found, trust, moment))
    except BROKEN as exc:
        return replace(report, status=SignatureStatus.INDETERMINATE, why=f"unreadable: {type(exc).__name__}")
    return replace(report, status=worst(signature.status for signature in each), signatures=tuple(each))


async def _verify_each(found: list[EmbeddedPdfSignature], trust: _Trust, moment: datetime) -> list[Signature]:
    return [await _verify(signature, trust, moment, is_last=signature is found[-1]) for signature in found]


async def _verify(embedded: EmbeddedPdfSignature, trust: _Trust, moment: datetime, *, is_last: bool) -> Signature:
    status = await _status(embedded, trust, moment)
    stamped = _time_stamp(status)
    if stamped and not status.trusted:  # the certificate may have held when it was used
        status = await _status(embedded, trust, stamped)
    given, why = _judged(status, is_last=is_last)
    certificate = status.signing_cert
    return Signature(
        field=str(embedded.field_name), status=given, why=why,
        signer=_name(certificate.subject), signer_type=_signer_type(status, trust),
        serial=f"{certificate.serial_number:x}", issuers=tuple(_issuers(status)),
        valid_from=certificate.not_valid_before, valid_to=certificate.not_valid_after,
        signed_at=status.signer_reported_dt, time_stamp=stamped,
        revocation=_revocation(status, trust, moment), intact=bool(status.intact and status.valid),
        covers_file=status.coverage == SignatureCoverageLevel.ENTIRE_FILE,
    )  # fmt: skip


async def _status(embedded: EmbeddedPdfSignature, trust: _Trust, moment: datetime) -> PdfSignatureStatus:
    if embedded.signer_cert is None:
        raise ValueError("the signature names no certificate")
    context = trust.context(embedded.signer_cert, moment)
    return await async_validate_pdf_signature(embedded, context, context, key_usage_settings=USAGE)


def _time_stamp(status: PdfSignatureStatus) -> datetime | None:
    stamp = status.timestamp_validity
    return stamp.timestamp if stamp and stamp.intact and stamp.valid and stamp.trusted else None


def _judged(status: PdfSignatureStatus, *, is_last: bool) -> tuple[SignatureStatus, str | None]:
    """The verdict on one signature, and what keeps it from being valid."""
    if not (status.intact and status.valid):
        return SignatureStatus.INVALID, "changed"
    if status.revoked:
        return SignatureStatus.INVALID, "revoked"
    if not status.docmdp_ok or (is_last and status.coverage < SignatureCoverageLevel.ENTIRE_REVISION):
        return SignatureStatus.INVALID, "changed_after_signing"
    if not status.trusted:
        return SignatureStatus.INDETERMINATE, _problem(status)
    return (SignatureStatus.VALID, None) if status.bottom_line else (SignatureStatus.INDETERMINATE, "not_conclusive")


def _problem(status: PdfSignatureStatus) -> str:
    """pyHanko's sub-indication (ETSI EN 319 102-1), in lower case: `no_certificate_chain_found`, …"""
    indication = status.trust_problem_indic
    return str(getattr(indication, "name", indication) or "not_trusted").lower()


def _name(name: x509.Name) -> str:
    native: dict[str, Any] = name.native
    return str(native.get("common_name") or name.human_friendly)


def _issuers(status: PdfSignatureStatus) -> Iterator[str]:
    """From whoever signed the certificate up to the root; the issuer's name alone when no path was found."""
    if status.validation_path is None:
        yield _name(status.signing_cert.issuer)
        return
    chain = list(status.validation_path.iter_certs(include_root=True))
    yield from (_name(certificate.subject) for certificate in reversed(chain[:-1]))


def _signer_type(status: PdfSignatureStatus, trust: _Trust) -> SignerType | None:
    """Who vouches tells officials from the public, the certificate's subject tells people from bodies."""
    if status.validation_path is None:
        return None
    subject: dict[str, Any] = status.signing_cert.subject.native
    person = "organization_name" not in subject or bool({"given_name", "surname", "title"} & subject.keys())
    root = next(status.validation_path.iter_certs(include_root=True))
    if root.dump() in {certificate.dump() for certificate in trust.official}:
        return SignerType.OFFICER if person else SignerType.AGENCY
    return SignerType.CITIZEN if person else SignerType.ORGANISATION


def _revocation(status: PdfSignatureStatus, trust: _Trust, moment: datetime) -> Revocation:
    if status.revoked:
        return Revocation.REVOKED
    known = status.trusted and trust.has_list_of(status.signing_cert.issuer, moment)
    return Revocation.GOOD if known else Revocation.UNKNOWN


# ── the operator's files ──────────────────────────────────────────────────────────────────────────────────────

Stamps = tuple[tuple[str, int], ...]


def _stamps(files: TrustFiles) -> Stamps:
    """Which files there are, and when each was last changed."""
    places = (files.public, files.official, files.revocation_lists)
    return tuple((str(path), path.stat().st_mtime_ns) for place in places for path in _files(place))


def _files(place: str) -> list[Path]:
    path = Path(place)
    if not place:
        return []
    return sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else [path]


@lru_cache(maxsize=4)
def _load(files: TrustFiles, stamps: Stamps) -> _Trust:
    """OSError or ValueError when a file cannot be read: the operator must know, so nothing is guessed."""
    return _Trust(
        public=tuple(load_certs_from_pemder([str(path) for path in _files(files.public)])),
        official=tuple(load_certs_from_pemder([str(path) for path in _files(files.official)])),
        revocation_lists=tuple(map(_revocation_list, _files(files.revocation_lists))),
        must_know_revocation=files.must_know_revocation,
    )


def _revocation_list(path: Path) -> crl.CertificateList:
    data = path.read_bytes()
    return crl.CertificateList.load(pem.unarmor(data)[2] if pem.detect(data) else data)
