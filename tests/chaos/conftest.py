"""A system that a test may break."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local import infra
from deploy.local.stack import Stack


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """A system of its own, with its own Kafka to kill; not started."""
    async with infra.embedded(durable=False) as own:
        system = Stack(own, tmp_path)
        try:
            yield system
        finally:
            await system.close()
