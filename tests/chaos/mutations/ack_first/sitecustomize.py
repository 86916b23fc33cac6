"""Mutation: FastStream's default acknowledgement, at most once."""

from types import SimpleNamespace

from faststream import AckPolicy

from kit import worker

worker.AckPolicy = SimpleNamespace(NACK_ON_ERROR=AckPolicy.ACK_FIRST)  # type: ignore[attr-defined, assignment]
