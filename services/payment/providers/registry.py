"""The providers of this installation, by the name that addresses and records use."""

from kit.settings import load
from services.payment.providers import Provider
from services.payment.providers.momo import MoMo
from services.payment.providers.national import NationalPlatform
from services.payment.providers.vietqr import VietQR
from services.payment.providers.vnpay import VNPay
from services.payment.settings import PaymentSettings


def providers() -> dict[str, Provider]:
    """Those that are configured."""
    settings = load(PaymentSettings)
    offered: list[Provider | None] = [
        VNPay.of(settings), MoMo.of(settings), VietQR.of(settings), NationalPlatform.of(settings),
    ]  # fmt: skip
    return {provider.name: provider for provider in offered if provider}
