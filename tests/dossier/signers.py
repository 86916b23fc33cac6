"""Citizens who sign: a public CA made for the tests, people with its certificates, and what they sign."""

# mypy: disallow-untyped-calls=False
# pyHanko annotates only part of what it offers.

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests.dossier.office import Issued, certificate, pdf


@dataclass(frozen=True)
class PublicCA:
    """A root that the dossier service trusts for citizens, and the folder of its revocation lists."""

    root: Issued
    roots: Path
    lists: Path

    @classmethod
    def made_in(cls, folder: Path) -> "PublicCA":
        made = cls(certificate("CA công cộng (hư cấu)"), folder / "roots", folder / "lists")
        made.roots.mkdir()
        made.lists.mkdir()
        (made.roots / "root.pem").write_bytes(made.root[0].public_bytes(Encoding.PEM))
        return made

    def revoke(self, *revoked: Issued) -> None:
        """Put a list of the revoked, good for a day, where the service finds it."""
        moment = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.root[0].subject)
            .last_update(moment - timedelta(hours=1))
            .next_update(moment + timedelta(days=1))
        )
        for gone, _ in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(gone.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(moment - timedelta(minutes=30)).build())
        made = builder.sign(self.root[1], hashes.SHA256())
        (self.lists / "list.crl").write_bytes(made.public_bytes(Encoding.DER))


def signed(by: Issued, root: Issued, data: bytes | None = None) -> bytes:
    """The PDF with one more PAdES signature."""
    with ThreadPoolExecutor(1) as thread:  # pyHanko runs an event loop of its own, which a test may have already
        return thread.submit(_signed, by, root, data or pdf("Đơn đề nghị")).result()


def _signed(by: Issued, root: Issued, data: bytes) -> bytes:
    cert, key = by
    private = key.private_bytes(Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    store = SimpleCertificateStore.from_certs([asn1_x509.Certificate.load(root[0].public_bytes(Encoding.DER))])
    signer = signers.SimpleSigner(
        asn1_x509.Certificate.load(cert.public_bytes(Encoding.DER)), asn1_keys.PrivateKeyInfo.load(private), store
    )
    writer = IncrementalPdfFileWriter(BytesIO(data))
    count = len(list(writer.prev.embedded_signatures))
    metadata = signers.PdfSignatureMetadata(
        field_name=f"ChuKy{count + 1}", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES
    )
    out = BytesIO()
    signers.PdfSigner(metadata, signer=signer).sign_pdf(writer, output=out)
    return out.getvalue()
