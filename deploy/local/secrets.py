"""Every secret and key of one checkout's local run: made once, ignored by git, never printed.

The folder is made beside its place and moved there whole. A folder that lost something (a crash while it was
copied, a file deleted by hand, a newer version that needs one secret more) is repaired: what is missing or
unreadable is made anew, what is good stays. Files are readable by their owner only.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from deploy.local import certificates
from deploy.local.names import SERVICES
from deploy.local.places import ROOT

TENANT = ROOT / "deploy" / "tenants" / "an-binh"
VALUES = "secrets.json"
TOKEN_KEY = "token-key.jwk.json"  # noqa: S105 — a file name
LEADER_P12 = "leader.p12"
SEAL_P12 = "seal.p12"
TRUST_ROOT = "trust-root.pem"
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Secrets:
    """What the environments of the services, the infrastructure and the stand-ins are made of.

    Its `repr` shows the folder only.
    """

    folder: Path
    values: Mapping[str, str] = field(repr=False)

    def client_secret(self, service: str) -> str:
        """The service's own secret at identity's token endpoint."""
        return self.values[f"client_{service}"]

    @property
    def clients(self) -> dict[str, str]:
        """Service → SHA-256 (hex) of its client secret: identity's MOTCUA_CLIENTS as an object."""
        return {name: hashlib.sha256(self.client_secret(name).encode()).hexdigest() for name in SERVICES}

    def subscriber_secret(self, name: str) -> str:
        """The secret at identity of a system in the tenant's subscribers.yaml."""
        return self.values[f"subscriber_{name}"]

    @property
    def subscribers(self) -> dict[str, str]:
        """System of another agency → SHA-256 (hex) of its secret: identity's MOTCUA_SUBSCRIBERS as an object."""
        return {name: hashlib.sha256(self.subscriber_secret(name).encode()).hexdigest() for name in _subscribers()}

    def database_password(self, service: str) -> str:
        """Of the role that the service works with; it may not change the schema."""
        return self.values[f"database_{service}"]

    def migration_password(self, service: str) -> str:
        """Of the role that owns the service's schema."""
        return self.values[f"migration_{service}"]

    @property
    def postgres_password(self) -> str:
        """Of the server's administrator."""
        return self.values["postgres"]

    @property
    def s3_access_key(self) -> str:
        return self.values["s3_access_key"]

    @property
    def s3_secret_key(self) -> str:
        return self.values["s3_secret_key"]

    @property
    def digest_key(self) -> str:
        """Key of the HMAC over identity numbers, shared by identity and tracking."""
        return self.values["digest_key"]

    @property
    def sealing_key(self) -> str:
        """What notification seals subscribers' secrets with."""
        return self.values["sealing_key"]

    @property
    def vneid_client_id(self) -> str:
        return "motcua-an-binh"

    @property
    def vneid_client_secret(self) -> str:
        return self.values["vneid_client_secret"]

    @property
    def vnpay_tmn_code(self) -> str:
        """The merchant's code at the bank: eight characters, no secret."""
        return "ANBINH01"

    @property
    def vnpay_secret(self) -> str:
        return self.values["vnpay_secret"]

    @property
    def momo_access_key(self) -> str:
        return self.values["momo_access_key"]

    @property
    def momo_secret(self) -> str:
        return self.values["momo_secret"]

    @property
    def national_secret(self) -> str:
        return self.values["national_secret"]

    @property
    def national_sync_secret(self) -> str:
        """What the province is known by where it synchronises its dossiers."""
        return self.values["national_sync_secret"]

    @property
    def sms_key(self) -> str:
        return self.values["sms_key"]

    @property
    def sms_secret(self) -> str:
        return self.values["sms_secret"]

    @property
    def viettel_password(self) -> str:
        return self.values["viettel_password"]

    @property
    def sms_receipts_secret(self) -> str:
        """Proves that a delivery receipt is about a message of ours."""
        return self.values["sms_receipts_secret"]

    @property
    def databases_key(self) -> str:
        return self.values["databases_key"]

    @property
    def post_secret(self) -> str:
        """Signs what goes between the dossier service and the post office."""
        return self.values["post_secret"]

    @property
    def demo_password(self) -> str:
        """One password for all demo officers; readable, because a person types it."""
        return self.values["demo_password"]

    @property
    def p12_password(self) -> str:
        return self.values["p12_password"]

    @property
    def token_key(self) -> Path:
        """File with identity's private ES256 JWK."""
        return self.folder / TOKEN_KEY

    @property
    def leader_p12(self) -> Path:
        """PKCS#12 of the (fictional) chairman of UBND xã Bình Minh."""
        return self.folder / LEADER_P12

    @property
    def seal_p12(self) -> Path:
        """PKCS#12 of the electronic seal of UBND xã Bình Minh."""
        return self.folder / SEAL_P12

    @property
    def trust_root(self) -> Path:
        """PEM of the root that the leader's and the seal's certificates lead to."""
        return self.folder / TRUST_ROOT


def ensure_secrets(folder: Path) -> Secrets:
    """The secrets of this folder, made now if it is not there and completed if it is not whole.

    Two processes may ask at once: the second waits and gets what the first made. OSError if the disk says no.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder.parent):
        _remove_unfinished(folder)
        if folder.is_dir():
            return Secrets(folder, _complete(folder))
        return Secrets(folder, _create(folder))


def _remove_unfinished(folder: Path) -> None:
    """What a killed process left behind; nobody else is at work while this one holds the lock."""
    for left in folder.parent.glob(f"{UNFINISHED}{folder.name}-*"):
        shutil.rmtree(left)
    for left in folder.glob(f"{UNFINISHED}*"):
        left.unlink()


def _create(folder: Path) -> dict[str, str]:
    unfinished = Path(tempfile.mkdtemp(prefix=f"{UNFINISHED}{folder.name}-", dir=folder.parent))
    try:
        values = _complete(unfinished)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return values


def _complete(folder: Path) -> dict[str, str]:
    folder.chmod(0o700)
    values = _complete_values(folder / VALUES)
    if not _token_key_is_good(folder / TOKEN_KEY):
        _write(folder / TOKEN_KEY, json.dumps(_new_token_key()).encode())
    _complete_certificates(folder, values["p12_password"])
    return values


def _complete_values(path: Path) -> dict[str, str]:
    kept = _read_values(path)
    values = {**_new_values(), **kept}
    if values != kept:
        _write(path, json.dumps(values, indent=1).encode())
    path.chmod(0o600)
    return values


def _read_values(path: Path) -> dict[str, str]:
    try:
        values = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: value for name, value in values.items() if isinstance(value, str) and value}


def _new_values() -> dict[str, str]:
    names = ["postgres", "s3_secret_key", "digest_key", "vneid_client_secret", "vnpay_secret", "sms_secret"]
    names += ["p12_password", "post_secret", "momo_access_key", "momo_secret", "national_secret", "databases_key"]
    names += ["national_sync_secret", "sealing_key", *(f"subscriber_{name}" for name in _subscribers())]
    names += ["viettel_password", "sms_receipts_secret"]
    names += [f"{kind}_{service}" for kind in ("client", "database", "migration") for service in SERVICES]
    return {
        **{name: secrets.token_hex(32) for name in names},
        "s3_access_key": secrets.token_hex(10).upper(),
        "sms_key": secrets.token_hex(15).upper(),
        "demo_password": _readable_password(),
    }


def _subscribers() -> list[str]:
    """The systems of other agencies in the fictional province."""
    listed = yaml.safe_load((TENANT / "subscribers.yaml").read_text("utf-8"))["subscribers"]
    return [str(one["name"]) for one in listed]


def _readable_password() -> str:
    """Four blocks that can be read aloud, `bano-timu-kelo-rade`: about 50 bits."""
    return "-".join(_syllable() + _syllable() for _ in range(4))


def _syllable() -> str:
    return secrets.choice("bcdghklmnprstvx") + secrets.choice("aeiou")


def _new_token_key() -> dict[str, object]:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True, auto_kid=True)
    return dict(key.as_dict(private=True))


def _token_key_is_good(path: Path) -> bool:
    try:
        path.chmod(0o600)
        return ECKey.import_key(json.loads(path.read_bytes())).is_private
    except (FileNotFoundError, ValueError, KeyError, TypeError, JoseError):
        return False


def _complete_certificates(folder: Path, password: str) -> None:
    """All or none: a new root makes the old certificates worthless."""
    paths = {name: folder / name for name in (LEADER_P12, SEAL_P12, TRUST_ROOT)}
    if certificates.are_good(paths[TRUST_ROOT], [paths[LEADER_P12], paths[SEAL_P12]], password):
        return
    made = certificates.make(password)
    _write(paths[LEADER_P12], made.leader_p12)
    _write(paths[SEAL_P12], made.seal_p12)
    _write(paths[TRUST_ROOT], made.trust_root)


def _write(path: Path, content: bytes) -> None:
    """The file has the old content or the new one, never half of it, whenever the power goes."""
    handle, name = tempfile.mkstemp(prefix=f"{UNFINISHED}{path.name}-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
