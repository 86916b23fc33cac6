"""The ways to pay besides VNPAY, as the environment of the package's docstring describes them."""

from dataclasses import dataclass

from deploy.standins.bank.account import Account
from deploy.standins.bank.momo import MoMo
from deploy.standins.bank.national import Platform
from deploy.standins.common import setting


@dataclass(frozen=True)
class Others:
    momo: MoMo
    national: Platform
    account: Account


def from_environment(address: str) -> Others:
    """`address`: where payers reach this stand-in."""
    return Others(
        MoMo(
            setting("MOTCUA_MOMO_PARTNER_CODE", "MOMOANBINH"),
            setting("MOTCUA_MOMO_ACCESS_KEY", "unset"),
            setting("MOTCUA_MOMO_SECRET", "unset"),
            address,
        ),
        Platform(
            setting("MOTCUA_NATIONAL_PARTNER", "ANBINH"),
            setting("MOTCUA_NATIONAL_SECRET", "unset"),
            address,
            setting("MOTCUA_NATIONAL_CONFIRM_URL", "http://127.0.0.1:9/"),
        ),
        Account(setting("MOTCUA_VIETQR_ACCOUNT", "0123456789")),
    )
