"""How to reach object storage."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from minio import Minio


@dataclass(frozen=True)
class Store:
    url: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    bucket: str = "motcua"

    def client(self) -> "Minio":
        """Asks once, and waits at most 5 s."""
        import urllib3  # late: the command line knows stores and rarely speaks to one
        from minio import Minio

        parts = urlsplit(self.url)
        return Minio(
            parts.netloc,
            self.access_key,
            self.secret_key,
            secure=parts.scheme == "https",
            region=self.region,
            http_client=urllib3.PoolManager(timeout=5, retries=False),
        )
