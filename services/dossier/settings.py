"""What the dossier service may be told besides the common settings."""

from pathlib import Path

from pydantic import Field

from kit import settings


class Settings(settings.Settings):
    """Keys are read at the first signature; a service that never signs needs none."""

    digest_key: str = Field(default="", repr=False)
    """The installation's key for digests of identity numbers, the same as identity's. Filing for somebody else, or at
    the desk, needs it."""
    gateway_url: str = ""
    """Where citizens look dossiers up, as printed on forms; without it, the tenant's portal host."""
    signing_keys: Path | None = None
    """YAML file that says whose key signs what and where it is kept (results/keys.py): PKCS#12 files, PKCS#11 tokens,
    remote signing services. Without it, the two files below sign for every unit."""
    leader_p12: Path | None = None
    """PKCS#12 file with the leader's signing key."""
    seal_p12: Path | None = None
    """PKCS#12 file with the agency's seal."""
    p12_password: str = Field(default="", repr=False)
    trust_roots: Path | None = None
    """Root certificates (PEM or DER, a file or a folder) that signatures are checked against; without it, the
    self-signed roots that came with the two keys."""
    signer_roots: Path | None = None
    """Certificates of the public CAs (PEM or DER, a file or a folder): whose signatures on citizens' files are trusted.
    Those of `trust_roots` are trusted there too."""
    revocation_lists: Path | None = None
    """CRLs (PEM or DER, a file or a folder), renewed by the operator: nothing is fetched."""
    must_know_revocation: bool = False
    """Whether a citizen's signature counts only when a CRL says that the certificate holds."""
    databases_url: str = ""
    """The platform through which national databases are asked; without one, no paper is replaced by data."""
    databases_key: str = Field(default="", repr=False)
    """What the platform knows us by."""
    post_url: str = ""
    """Where the post takes orders for results that are to be sent."""
    post_customer: str = ""
    """Our customer number there."""
    post_secret: str = Field(default="", repr=False)
    """Signs orders, and the post's calls to `/api/v1/post-events`."""
    scanner_url: str = ""
    """The virus scanner, `tcp://host:3310` of ClamAV's clamd; without one no file is taken."""

    def digest(self) -> bytes:
        """The key; without one, digests would be anybody's to compute."""
        if not self.digest_key:
            raise ValueError("MOTCUA_DIGEST_KEY is not set")
        return self.digest_key.encode()
