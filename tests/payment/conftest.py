"""The payment service as it runs, with the bank stand-in as a process."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from deploy.local.infra import Infra
from kit import auth
from kit.db import Database
from kit.settings import load
from services.payment.app import app as service
from services.payment.settings import PaymentSettings
from tests.dossier.office import ISSUER, PASSWORD, Identity, Issued, certificate, p12
from tests.payment.counter import PORTAL, SECRET, Counter
from tests.standins.conftest import free_port, running

MakeDatabase = Callable[[str], Awaitable[Database]]
AGREED = {
    "VNPAY_TMN_CODE": "ANBINH01",
    "VNPAY_SECRET": SECRET,
    "MOMO_PARTNER_CODE": "MOMOANBINH",
    "MOMO_ACCESS_KEY": "an access key of tests",
    "MOMO_SECRET": "a wallet's secret of tests",
    "NATIONAL_PARTNER": "ANBINH",
    "NATIONAL_SECRET": "a platform's secret of tests",
    "VIETQR_BANK": "970436",
    "VIETQR_ACCOUNT": "0123456789",
}


@pytest.fixture(scope="session")
def bank() -> Iterator[str]:
    """Where the bank stand-in is; it calls nobody, tests pass its calls on."""
    port = free_port()
    told = {f"MOTCUA_{name}": value for name, value in AGREED.items()}
    told["MOTCUA_VNPAY_IPN_URL"] = "http://127.0.0.1:9/"
    with running("bank", port, "--port", str(port), **told) as address:
        yield address


@pytest.fixture(scope="session")
def authority() -> Issued:
    """Who vouches for the agency's seal."""
    return certificate("An Bình CA (hư cấu)")


@pytest.fixture(scope="session")
def seal(tmp_path_factory: pytest.TempPathFactory, authority: Issued) -> Path:
    mine = certificate("Ủy ban nhân dân xã Bình Minh", authority)
    return p12(tmp_path_factory.mktemp("seal"), "seal", mine, authority)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, bank: str, seal: Path, infra: Infra) -> None:
    monkeypatch.setattr("kit.settings._loaded", {})
    told = {
        **AGREED,
        "GATEWAY_URL": PORTAL,
        "IDENTITY_URL": ISSUER,
        "PAYMENT_URL": "http://127.0.0.1:8103",
        "VNPAY_URL": f"{bank}/paymentv2/vpcpay.html",
        "VNPAY_API_URL": f"{bank}/merchant_webapi/api/transaction",
        "MOMO_URL": bank,
        "NATIONAL_URL": f"{bank}/national",
        "NATIONAL_ACCOUNT": "0123456789",
        "SEAL_P12": str(seal),
        "P12_PASSWORD": PASSWORD,
        "COLLECTOR_TAX_CODE": "9900000001-001",
        "S3_URL": infra.s3.url,
        "S3_ACCESS_KEY": infra.s3.access_key,
        "S3_SECRET_KEY": infra.s3.secret_key,
        "S3_REGION": infra.s3.region,
        "S3_BUCKET": infra.s3.bucket,
    }
    for name, value in told.items():
        monkeypatch.setenv(f"MOTCUA_{name}", value)


@pytest.fixture
async def payment(make_database: MakeDatabase) -> AsyncIterator[Counter]:
    db = await make_database("payment")
    service.state.db, service.state.settings = db, load(PaymentSettings)
    identity = Identity()
    service.state.verifier = auth.Verifier("payment", auth.Keys(ISSUER))
    service.state.verifier.keys.use(identity.jwks)
    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://payment") as http:
        yield Counter(db, http, identity)
    service.state.db = None
