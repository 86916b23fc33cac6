"""What this service is told beyond what every service is told."""

from pydantic import Field, SecretStr

from contracts.money import FeeKind
from kit.settings import Settings


class PaymentSettings(Settings):
    gateway_url: str
    """The citizens' site: payers come back to it and to nowhere else."""
    vnpay_url: str
    """VNPAY's payment page."""
    vnpay_tmn_code: str
    """Our merchant code at VNPAY."""
    vnpay_secret: SecretStr
    """Signs what we ask of VNPAY, and what VNPAY tells us."""

    receipt_form: str = "01BLP0-001"
    """Form symbol (ký hiệu mẫu) of the receipts that the province registered."""
    receipt_letters: dict[FeeKind, str] = Field(default={FeeKind.PHI: "PA", FeeKind.LE_PHI: "LA"})
    """Letters of the receipt series (ký hiệu), one series for each kind of money."""
