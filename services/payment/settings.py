"""What this service is told beyond what every service is told."""

from pathlib import Path

from pydantic import Field, SecretStr

from contracts.money import FeeKind
from kit.clients import address_of
from kit.settings import Settings


class PaymentSettings(Settings):
    gateway_url: str
    """The citizens' site: payers come back to it and to nowhere else."""
    payment_public_url: str = ""
    """Where providers reach this service from outside, if that is not `payment_url`."""

    # A provider without an address is not offered.
    vnpay_url: str = ""
    """VNPAY's payment page."""
    vnpay_api_url: str = ""
    """Where VNPAY is asked about payments and for refunds."""
    vnpay_tmn_code: str = ""
    """Our merchant code at VNPAY."""
    vnpay_secret: SecretStr = SecretStr("")
    """Signs what we ask of VNPAY, and what VNPAY tells us."""

    momo_url: str = ""
    momo_partner_code: str = ""
    momo_access_key: SecretStr = SecretStr("")
    momo_secret: SecretStr = SecretStr("")

    vietqr_bank: str = ""
    """BIN of the bank, six digits."""
    vietqr_account: str = ""
    """The account that transfers go to."""

    national_url: str = ""
    """The national payment platform."""
    national_partner: str = ""
    national_account: str = ""
    national_secret: SecretStr = SecretStr("")

    statement_urls: dict[str, str] = Field(default={})
    """Where providers' statements are fetched, by provider (CSV as documented, or camt.053); others are imported."""
    statement_minutes: int = Field(default=1440, ge=1)
    """How often; a day begins at 07:00 in Viet Nam (00:00 UTC)."""

    seal_p12: Path | None = None
    """PKCS#12 file with the agency's seal, for receipts."""
    p12_password: SecretStr = SecretStr("")
    collector: str = "Ủy ban nhân dân tỉnh"
    """The agency that collects, as printed on receipts."""
    collector_tax_code: str = ""

    receipt_form: str = "01BLP0-001"
    """Form symbol (ký hiệu mẫu) of the receipts that the province registered."""
    receipt_letters: dict[FeeKind, str] = Field(default={FeeKind.PHI: "PA", FeeKind.LE_PHI: "LA"})
    """Letters of the receipt series (ký hiệu), one series for each kind of money."""

    @property
    def callback_base(self) -> str:
        """Before the paths that providers call."""
        return self.payment_public_url or address_of("payment")
