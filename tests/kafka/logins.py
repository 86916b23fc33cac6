"""Every service on Kafka under its own name, with the registry's rights and no others: `--kafka secured`."""

import asyncio
import secrets

from deploy.kafka.cluster import connected
from deploy.kafka.commands import wanted
from deploy.local.infra import Secured
from kit.settings import Settings


async def logins(secured: Secured) -> dict[str, dict[str, str]]:
    """What each service is told so that it goes through the secured listener. Rights and passwords are given now."""
    passwords = {principal.name: secrets.token_urlsafe() for principal in wanted()}
    await asyncio.to_thread(_admit, secured, passwords)
    return {
        name: {
            "MOTCUA_KAFKA": secured.kafka,
            "MOTCUA_KAFKA_USERNAME": name,
            "MOTCUA_KAFKA_PASSWORD": password,
            "MOTCUA_KAFKA_CA": str(secured.authority),
        }
        for name, password in passwords.items()
    }


def _admit(secured: Secured, passwords: dict[str, str]) -> None:
    with connected(Settings(kafka=secured.plain)) as cluster:
        cluster.give(cluster.compare(wanted()))
        for name, password in passwords.items():
            cluster.set_password(name, password)
