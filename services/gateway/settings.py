"""What the gateway is told by its environment, beyond what every service is told."""

from urllib.parse import urlsplit

from kit.settings import Settings


class GatewaySettings(Settings):
    """The gateway's own variables; every name has the prefix `MOTCUA_`."""

    gateway_url: str = ""
    """Our own address, as browsers see it."""
    vneid_issuer: str = ""
    """The identity provider; a browser may be sent there."""
    vnpay_url: str = ""
    """The bank's payment page; a browser may be sent there."""
    momo_url: str = ""
    national_url: str = ""
    """Further payment pages that a browser may be sent to."""
    redirect_origins: str = ""
    """Further origins that a browser may be sent to, separated by commas."""
    upload_limit: int = 20_000_000
    """Bytes that the gateway itself accepts for one file, when the browser cannot send it to storage."""

    @property
    def secure(self) -> bool:
        """Whether browsers reach us by https; cookies then carry `Secure` and the `__Host-` prefix."""
        return self.gateway_url.startswith("https://")

    @property
    def partners(self) -> tuple[str, ...]:
        """The foreign origins a browser may be sent to, as in a Content-Security-Policy (the port may be `*`).

        A local run, where everything is on this machine, may leave them out: then it is this machine's other ports.
        """
        banks = (self.vnpay_url, self.momo_url, self.national_url)
        urls = [self.vneid_issuer, *banks, self.storage, *self.redirect_origins.split(",")]
        named = [origin_of(url.strip()) for url in urls if url.strip()]
        own = urlsplit(self.gateway_url)
        if not named and own.hostname in LOOPBACK:
            return (f"{own.scheme}://{own.hostname}:*",)
        return tuple(dict.fromkeys(named))

    @property
    def storage(self) -> str:
        """Where browsers send files to and download them from."""
        return self.s3_public_url or self.s3_url

    def knows(self, url: str) -> bool:
        """Whether a browser may be sent to this foreign address."""
        origin = origin_of(url)
        return bool(origin) and (origin in self.partners or f"{origin.rsplit(':', 1)[0]}:*" in self.partners)


LOOPBACK = ("127.0.0.1", "localhost", "::1")


def origin_of(url: str) -> str:
    """`http://host:port` of an http address; empty for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError:  # `http://[`
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.netloc else ""
