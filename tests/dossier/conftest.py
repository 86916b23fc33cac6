"""The dossier service as it runs: its app, PostgreSQL, the object store, and signing keys made for the session."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from deploy.local.infra import Infra
from kit import auth
from kit.db import Database
from kit.settings import load
from services.dossier.app import app
from services.dossier.catalogue.api import publish_folder
from services.dossier.settings import Settings
from tests import signers
from tests.dossier.office import ISSUER, PASSWORD, Identity, Issued, Office, certificate, p12
from tests.dossier.signers import PublicCA
from tests.scanners import Listening

MakeDatabase = Callable[..., Awaitable[Database]]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The leader's and the agency's key under one root, and a key that no root vouches for."""
    folder = tmp_path_factory.mktemp("keys")
    root, stranger = certificate("An Bình CA (hư cấu)"), certificate("CA khác (hư cấu)")
    return {
        "leader": p12(folder, "leader", certificate("Đặng Quang Minh", root), root),
        "seal": p12(folder, "seal", certificate("Ủy ban nhân dân xã Bình Minh", root), root),
        "stranger": p12(folder, "stranger", certificate("Người lạ", stranger), stranger),
    }


@pytest.fixture(scope="session")
def public_ca(tmp_path_factory: pytest.TempPathFactory) -> PublicCA:
    """Who vouches for citizens that sign."""
    return PublicCA.made_in(tmp_path_factory.mktemp("public-ca"))


@pytest.fixture(scope="session")
def an(public_ca: PublicCA) -> Issued:
    """Nguyễn Thị An's certificate and key."""
    return certificate("Nguyễn Thị An", public_ca.root)


@pytest.fixture(scope="session")
def signing_keys(
    request: pytest.FixtureRequest, keys: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Where the leader's and the agency's key are kept: in files, in a (software) token, at a remote service."""
    with signers.KINDS[request.config.getoption("--keys")](tmp_path_factory.mktemp("signers"), keys) as listed:
        yield listed


@pytest.fixture
def settings(
    infra: Infra,
    keys: dict[str, Path],
    signing_keys: Path,
    scanner: Listening,
    public_ca: PublicCA,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:  # fmt: skip
    monkeypatch.setattr("kit.settings._loaded", {})
    monkeypatch.setattr("services.dossier.catalogue.store._versions", {})  # copies of one database share their ids
    environment = {
        "IDENTITY_URL": ISSUER,
        "DIGEST_KEY": "key of tests",
        "S3_URL": infra.s3.url,
        "S3_ACCESS_KEY": infra.s3.access_key,
        "S3_SECRET_KEY": infra.s3.secret_key,
        "S3_REGION": infra.s3.region,
        "S3_BUCKET": infra.s3.bucket,
        "SIGNING_KEYS": str(signing_keys),
        "LEADER_P12": str(keys["leader"]),
        "SEAL_P12": str(keys["seal"]),
        "P12_PASSWORD": PASSWORD,
        "SCANNER_URL": scanner.url,
        "SIGNER_ROOTS": str(public_ca.roots),
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"MOTCUA_{name}", value)
    return load(Settings)


@pytest.fixture
async def office(settings: Settings, make_database: MakeDatabase) -> AsyncIterator[Office]:
    """The service with its catalogue loaded."""
    db = await make_database("dossier", f"the catalogue of {settings.tenant}", publish_folder)
    identity = Identity()
    app.state.db, app.state.settings = db, settings
    app.state.verifier = auth.Verifier("dossier", auth.Keys(ISSUER))
    app.state.verifier.keys.use(identity.jwks)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://dossier") as http:
        yield Office(http, db, identity)
    app.state.db = None
