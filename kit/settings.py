"""Configuration by environment: every field below is the variable MOTCUA_<FIELD>."""

from typing import TypeVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every service may be told. A service with settings of its own subclasses this in its settings.py."""

    model_config = SettingsConfigDict(env_prefix="MOTCUA_", extra="ignore", frozen=True)

    database_url: str = ""
    """The service's own database, as the application role: no right to change the schema."""
    migration_url: str = ""
    """The same database as its owner; only `migrate` uses it."""
    database_pool: int = 8
    kafka: str = ""
    """Bootstrap servers, `host:port,host:port`."""
    kafka_username: str = ""
    kafka_password: str = Field(default="", repr=False)
    """SCRAM-SHA-512 over TLS when a user name is given; plain text otherwise (loopback, tests)."""
    kafka_ca: str = ""
    """PEM file with the authority that vouches for the brokers; empty: those that the system trusts."""

    s3_url: str = ""
    s3_public_url: str = ""
    """The address that browsers see; it is part of every signature."""
    s3_access_key: str = ""
    s3_secret_key: str = Field(default="", repr=False)
    s3_region: str = "us-east-1"
    s3_bucket: str = "motcua"

    identity_url: str = ""
    """Also the issuer (`iss`) of every token. Where another service is, MOTCUA_<NAME>_URL tells (see clients)."""
    client_secret: str = Field(default="", repr=False)
    """This service's own secret at identity, for tokens that name the service."""

    roles: str = "http,worker,timers"
    """Which parts this process runs: any of http, worker (subscribers and relay), timers."""
    otlp_url: str = ""
    """OTLP/HTTP collector for traces, `http://host:4318`; empty: spans are not kept."""
    tenant: str = "deploy/tenants/an-binh"
    """Folder with the province's data."""
    log_level: str = "INFO"
    relay_sleep_after: float = 0.5
    """Seconds without an event after which the relay stops polling and waits to be woken."""


S = TypeVar("S", bound=Settings)
_loaded: dict[type[Settings], Settings] = {}


def load(cls: type[S]) -> S:
    """The settings of this process, read from the environment at first use."""
    if cls not in _loaded:
        _loaded[cls] = cls()
    found = _loaded[cls]
    assert isinstance(found, cls)  # noqa: S101 (narrows the type)
    return found
