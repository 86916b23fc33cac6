"""The secrets of a checkout: made once, whole or repaired, closed to others, silent."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import KeyUsage, load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local.secrets import Secrets, ensure_secrets
from tests.standins.conftest import ROOT

FILES = ("secrets.json", "token-key.jwk.json", "leader.p12", "seal.p12", "trust-root.pem")
KILLED_WHILE_CREATING = """
import os, sys, pathlib
from deploy.local import certificates, secrets
certificates.make = lambda password: os.kill(os.getpid(), 9)
secrets.ensure_secrets(pathlib.Path(sys.argv[1]))
"""


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def assert_whole(made: Secrets) -> None:
    """Every file opens with what the others say."""
    root = load_pem_x509_certificate(made.trust_root.read_bytes())
    for path in (made.leader_p12, made.seal_p12):
        opened = pkcs12.load_pkcs12(path.read_bytes(), made.p12_password.encode())
        assert opened.cert is not None
        issuing, top = (extra.certificate for extra in opened.additional_certs)
        opened.cert.certificate.verify_directly_issued_by(issuing)
        issuing.verify_directly_issued_by(root)
        assert top == root
    key = ECKey.import_key(json.loads(made.token_key.read_bytes()))
    assert jwt.encode({"alg": "ES256", "kid": key.kid}, {"sub": "x"}, key)
    assert sorted(path.name for path in made.folder.iterdir()) == sorted(FILES)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path / "secrets")
    before = content(first.folder)

    again = ensure_secrets(tmp_path / "secrets")

    assert_whole(first)
    assert again.values == first.values
    assert content(first.folder) == before
    assert list(tmp_path.iterdir()) == [first.folder]


def test_two_checkouts_share_no_secret(tmp_path: Path) -> None:
    one, other = ensure_secrets(tmp_path / "one"), ensure_secrets(tmp_path / "other")

    assert not set(one.values.values()) & set(other.values.values())


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    made = ensure_secrets(tmp_path / "secrets")
    (made.folder / "seal.p12").chmod(0o644)

    ensure_secrets(made.folder)

    assert made.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.folder.iterdir()} == {0o600}


def test_no_secret_is_in_the_repr(tmp_path: Path) -> None:
    made = ensure_secrets(tmp_path / "secrets")

    assert not [name for name, value in made.values.items() if value in repr(made)]


@pytest.mark.parametrize("damage", ["deleted", "empty", "cut"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_folder_is_repaired(tmp_path: Path, name: str, damage: str) -> None:
    made = ensure_secrets(tmp_path / "secrets")
    path = made.folder / name
    whole = path.read_bytes()
    path.unlink()
    if damage != "deleted":
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")

    repaired = ensure_secrets(made.folder)

    assert_whole(repaired)
    if name != "secrets.json":
        assert repaired.values == made.values


def test_a_newer_version_adds_its_secret_and_keeps_the_others(tmp_path: Path) -> None:
    made = ensure_secrets(tmp_path / "secrets")
    older = {name: value for name, value in made.values.items() if name != "sms_secret"}
    (made.folder / "secrets.json").write_text(json.dumps(older))

    newer = ensure_secrets(made.folder)

    assert newer.sms_secret
    assert {name: value for name, value in newer.values.items() if name != "sms_secret"} == older


def test_a_killed_creation_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    command = [sys.executable, "-c", KILLED_WHILE_CREATING, str(folder)]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ, check=False, timeout=60)
    assert killed.returncode == -9
    assert not folder.exists()

    made = ensure_secrets(folder)

    assert_whole(made)
    assert list(tmp_path.iterdir()) == [folder]


def test_who_asks_at_the_same_time_gets_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ensure_secrets(tmp_path / "secrets"), range(8)))

    assert all(secrets.values == made[0].values for secrets in made)
    assert_whole(made[0])


def test_the_signers_are_the_leader_and_the_seal_of_the_tenant(tmp_path: Path) -> None:
    officers = yaml.safe_load((ROOT / "deploy/tenants/an-binh/officers.yaml").read_text(encoding="utf-8"))
    leader = next(officer for officer in officers["officers"] if "leader" in officer["roles"])
    made = ensure_secrets(tmp_path / "secrets")

    opened = pkcs12.load_pkcs12(made.leader_p12.read_bytes(), made.p12_password.encode())

    assert opened.cert is not None
    subject = opened.cert.certificate.subject
    usage = opened.cert.certificate.extensions.get_extension_for_class(KeyUsage).value
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == leader["name"]
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)[0].value == leader["unit"]
    assert usage.digital_signature
    assert usage.content_commitment
