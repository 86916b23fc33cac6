"""S3 for a local run: S3Proxy, which speaks the protocol (POST policies too) over a folder."""

import asyncio
from functools import partial
from pathlib import Path

import urllib3
from minio.error import MinioException

from deploy.local import jars, places
from deploy.local.ports import HOST
from deploy.local.process import Command
from deploy.local.server import Server
from deploy.local.store import Store
from deploy.local.trouble import Trouble

SETTINGS = """\
s3proxy.endpoint=http://{host}:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity={store.access_key}
s3proxy.credential={store.secret_key}
s3proxy.cors-allow-origins={origins}
s3proxy.cors-allow-methods=GET POST
s3proxy.cors-allow-headers=*
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir={folder}
"""

LOGGING = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
"""

_MEMORY = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def server(folder: Path, logs: Path, port: int, store: Store, origins: list[str]) -> Server:
    """`origins`: the pages from which a browser may send files."""
    settings, logging = folder.with_name("s3.properties"), folder.with_name("s3-logging.xml")
    options = (*_MEMORY, f"-Dlogback.configurationFile={logging}", "--enable-native-access=ALL-UNNAMED")
    text = SETTINGS.format(host=HOST, port=port, store=store, origins=" ".join(origins), folder=folder)
    return Server(
        name="s3",
        port=port,
        command=Command(
            argv=jars.java("s3proxy", "org.gaul.s3proxy.Main", "--properties", str(settings), options=options),
            log=logs / "s3.log",
        ),
        prepare=partial(_prepare, folder, {settings: text, logging: LOGGING}),
        is_ready=partial(is_ready, store),
        settle=partial(create_bucket, store),
    )


async def _prepare(folder: Path, files: dict[Path, str]) -> None:
    places.make(folder)
    for file, text in files.items():
        file.touch(mode=0o600)
        file.write_text(text)


async def is_ready(store: Store) -> bool:
    try:
        await asyncio.to_thread(store.client().bucket_exists, store.bucket)
    except (urllib3.exceptions.HTTPError, MinioException, OSError):
        return False
    return True


async def create_bucket(store: Store) -> None:
    try:
        if not await asyncio.to_thread(store.client().bucket_exists, store.bucket):
            await asyncio.to_thread(store.client().make_bucket, store.bucket)
    except (urllib3.exceptions.HTTPError, MinioException) as error:
        raise Trouble(f"The object storage at {store.url} refuses the bucket {store.bucket} ({error}).") from error
