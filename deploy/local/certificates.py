"""The certificates of a local run: our own root and issuing authority, a leader, an agency seal; Kafka's listener.

Those that sign have the shape of the public ones (PKCS#12 with the chain, key usage digital signature and
non-repudiation) and no legal value; the names say so.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# The leader is the officer `lanh-dao` of deploy/tenants/an-binh/officers.yaml.
LEADER = "Đặng Quang Minh"
LEADER_TITLE = "Chủ tịch Ủy ban nhân dân xã"
AGENCY = "Ủy ban nhân dân xã Bình Minh"
AGENCY_ID = "H99.02.01"
AUTHORITY = "Một Cửa thử nghiệm"
NO_LEGAL_VALUE = "Không có giá trị pháp lý"

CA_LIFE = timedelta(days=3650)
SIGNER_LIFE = timedelta(days=1825)
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class Made:
    leader_p12: bytes
    seal_p12: bytes
    trust_root: bytes


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make(password: str) -> Made:
    """A new chain and two new signers; `password` opens both PKCS#12 files."""
    root = _authority(_name(NO_LEGAL_VALUE, f"CA gốc {AUTHORITY}"), issuer=None)
    issuing = _authority(_name(NO_LEGAL_VALUE, f"CA {AUTHORITY}"), issuer=root)
    leader = _name(AGENCY, LEADER, (NameOID.ORGANIZATION_IDENTIFIER, AGENCY_ID), (NameOID.TITLE, LEADER_TITLE))
    seal = _name(AGENCY, AGENCY, (NameOID.ORGANIZATION_IDENTIFIER, AGENCY_ID))
    return Made(
        leader_p12=_signer(leader, issuing, root, password),
        seal_p12=_signer(seal, issuing, root, password),
        trust_root=root.certificate.public_bytes(Encoding.PEM),
    )


def are_good(trust_root: Path, p12s: Sequence[Path], password: str) -> bool:
    """Whether the files open with the password, lead to this root, and will be valid for a while."""
    try:
        root = x509.load_pem_x509_certificate(trust_root.read_bytes())
        for path in (trust_root, *p12s):
            path.chmod(0o600)
        return all(_leads_to(root, path, password) for path in p12s)
    except (FileNotFoundError, ValueError, InvalidSignature):
        return False


def _leads_to(root: x509.Certificate, path: Path, password: str) -> bool:
    opened = pkcs12.load_pkcs12(path.read_bytes(), password.encode())
    if opened.key is None or opened.cert is None or len(opened.additional_certs) != 2:
        return False
    signer, chain = opened.cert.certificate, [extra.certificate for extra in opened.additional_certs]
    issuing = {ca.subject: ca for ca in chain}.get(signer.issuer, root)
    signer.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    return signer.not_valid_after_utc > datetime.now(UTC) + RENEW_BEFORE


def _name(organisation: str, common_name: str, *more: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    first = [(NameOID.COUNTRY_NAME, "VN"), (NameOID.ORGANIZATION_NAME, organisation)]
    attributes = [*first, *more, (NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _authority(name: x509.Name, issuer: _Authority | None) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _certificate(name, key, issuer, CA_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0 if issuer else 1), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    return _Authority(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def _signer(name: x509.Name, issuing: _Authority, root: _Authority, password: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _certificate(name, key, issuing, SIGNER_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=False), critical=True)
    return pkcs12.serialize_key_and_certificates(
        name=b"motcua",
        key=key,
        cert=builder.sign(issuing.key, hashes.SHA256()),
        cas=[issuing.certificate, root.certificate],
        encryption_algorithm=BestAvailableEncryption(password.encode()),
    )


def _certificate(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: _Authority | None, life: timedelta
) -> x509.CertificateBuilder:
    signed_by = (issuer.key if issuer else key).public_key()
    start = datetime.now(UTC) - timedelta(minutes=5)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,  # non-repudiation
        key_cert_sign=authority,
        crl_sign=authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


# ── a server's own ──


def ensure_listener(identity: Path, authority: Path, names: Sequence[str]) -> None:
    """A key with its certificate for a server of these names and addresses, and who vouches for it, made if they are
    missing or end soon. Nobody keeps the authority's key: it vouches for this one server."""
    if _will_last(identity) and authority.exists():
        return
    root = _authority(_name(NO_LEGAL_VALUE, f"CA {AUTHORITY}"), issuer=None)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _certificate(_name(NO_LEGAL_VALUE, names[0]), key, root, SIGNER_LIFE)
    builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    certificate = builder.sign(root.key, hashes.SHA256())
    authority.write_bytes(root.certificate.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_private(identity, secret + certificate.public_bytes(Encoding.PEM))


def _will_last(identity: Path) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(identity.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return certificate.not_valid_after_utc > datetime.now(UTC) + RENEW_BEFORE


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
