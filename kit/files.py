"""Object storage: browsers send files straight to it under a signed policy; only checked bytes are ever used.

`quarantine/<id>` is what somebody sent, and may be sent again while the policy lives; `clean/<sha256>` is the bytes
that were checked, put there by who checked them, named by their content and so immutable.
The minio SDK is synchronous: signing is pure computation, everything else runs in a few threads of its own.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlsplit

import urllib3
from fastapi import Depends, Request
from minio import Minio
from minio.datatypes import PostPolicy
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import HTTPError

from kit.clock import now
from kit.problems import Unavailable
from kit.settings import Settings

UPLOAD_TIME = timedelta(minutes=15)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """Where and how a browser sends one file: POST multipart/form-data, these fields first, then the file as `file`."""

    url: str
    fields: dict[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    size: int
    """Bytes."""
    content_type: str


class Files:
    """One bucket."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.s3_bucket
        self._inside = _client(settings, settings.s3_url)
        self._outside = _client(settings, settings.s3_public_url or settings.s3_url)
        self._public_url = (settings.s3_public_url or settings.s3_url).rstrip("/")
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="s3")

    def presign_upload(self, key: str, *, content_type: str, max_size: int, sha256_hex: str) -> Upload:
        """A policy for exactly this key, type and declared SHA-256, and for 1 to `max_size` bytes."""
        expires_at = now() + UPLOAD_TIME
        policy = PostPolicy(self._bucket, expires_at)
        fixed = {"key": key, "Content-Type": content_type, "x-amz-meta-sha256": sha256_hex}
        for name, value in fixed.items():
            policy.add_equals_condition(name, value)
        policy.add_content_length_range_condition(1, max_size)
        signed = self._outside.presigned_post_policy(policy)
        return Upload(f"{self._public_url}/{self._bucket}", {**fixed, **signed}, expires_at)

    def presign_download(self, key: str, *, file_name: str, ttl: int = 300) -> str:
        """A URL that downloads (never displays) the object for `ttl` seconds."""
        disposition = f"attachment; filename*=UTF-8''{quote(file_name)}"
        return self._outside.presigned_get_object(
            self._bucket,
            key,
            timedelta(seconds=ttl),
            response_headers={"response-content-disposition": disposition},
        )

    async def stat(self, key: str) -> Stored | None:
        """Size and type, or None when there is no such object."""
        try:
            found = await self._run(self._inside.stat_object, self._bucket, key)
        except S3Error as exc:
            if exc.code in ("NoSuchKey", "NoSuchObject", "NotFound"):
                return None
            raise
        return Stored(found.size or 0, found.content_type or "")

    async def read(self, key: str, limit: int = 64 * 1024 * 1024) -> bytes:
        """The object's bytes; ValueError when there are more than `limit`."""
        return await self._run(self._read, key, limit)

    def _read(self, key: str, limit: int) -> bytes:
        answer = self._inside.get_object(self._bucket, key)
        try:
            data = answer.read(limit + 1)
        finally:
            answer.close()
            answer.release_conn()
        if len(data) > limit:
            raise ValueError(f"more than {limit} bytes")
        return bytes(data)

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await self._run(self._inside.put_object, self._bucket, key, BytesIO(data), len(data), content_type)

    async def delete(self, key: str) -> None:
        """There is no such object afterwards, if there was one."""
        await self._run(self._inside.remove_object, self._bucket, key)

    async def ready(self) -> bool:
        return bool(await self._run(self._inside.bucket_exists, self._bucket))

    async def _run(self, work: Callable[..., T], *args: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args))
        except (HTTPError, ServerError, InvalidResponseError, S3Error) as exc:
            if isinstance(exc, S3Error) and exc.response.status < 500:
                raise
            raise Unavailable("Kho tệp tạm thời gián đoạn, xin thử lại sau ít phút") from exc


def _client(settings: Settings, url: str) -> Minio:
    parts = urlsplit(url)
    return Minio(
        endpoint=parts.netloc,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        region=settings.s3_region,  # without it signing would ask the server
        secure=parts.scheme == "https",
        http_client=urllib3.PoolManager(
            maxsize=8,
            timeout=urllib3.Timeout(connect=3, read=20),
            retries=urllib3.Retry(2, backoff_factor=0.2),
        ),
    )


_connected: dict[tuple[str, str], Files] = {}


def connect(settings: Settings) -> Files:
    """The process's one connection to this bucket."""
    place = (settings.s3_url, settings.s3_bucket)
    if place not in _connected:
        _connected[place] = Files(settings)
    return _connected[place]


async def _files(request: Request) -> Files:
    return connect(request.app.state.settings)


FilesDep = Annotated[Files, Depends(_files)]
