"""Traces that survive the outbox, metrics, and logs that cannot leak.

Spans carry route templates, channels and event types: never a path with its query, a message key or a body.
"""

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import problems

tracer = trace.get_tracer("motcua")
log = structlog.get_logger()

REQUESTS = Histogram(
    "motcua_http_seconds", "Time to answer, by route", ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)  # fmt: skip
PUBLISHED = Counter("motcua_outbox_published_total", "Events acknowledged by Kafka", ["channel"])
OUTBOX_AGE = Gauge("motcua_outbox_oldest_seconds", "Age of the oldest event not yet published")
QUARANTINED = Counter("motcua_outbox_quarantined_total", "Events that can never be sent; their aggregate is held back")
RELAY_RESTARTS = Counter("motcua_relay_restarts_total", "Times the relay threw its producer away")
APPLIED = Counter("motcua_inbox_applied_total", "Events applied", ["channel", "type"])
DUPLICATES = Counter("motcua_inbox_duplicates_total", "Events heard before, and skipped", ["channel"])
IGNORED = Counter("motcua_inbox_ignored_total", "Events of a type this version does not know", ["channel"])
PARKED = Counter("motcua_inbox_parked_total", "Events that wait for a missing earlier one", ["channel"])
PARKED_AGE = Gauge("motcua_inbox_parked_oldest_seconds", "How long an event has been waiting for a missing earlier one")
LAG = Histogram(
    "motcua_inbox_lag_seconds", "From the moment of the first event of a batch until it was applied", ["channel"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300),
)  # fmt: skip
DEAD = Counter("motcua_dead_letters_total", "Records that can never be applied", ["channel"])
FIRED = Counter("motcua_timers_fired_total", "Timers fired and jobs done", ["kind"])
GIVEN_UP = Counter("motcua_jobs_given_up_total", "Jobs that failed for the last time", ["kind"])

# A field that is not listed here does not reach a log line, whatever somebody passes.
FIELDS = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "logger",
        "service",
        "trace_id",
        "span_id",
        "error",
        "exception",
        "channel",
        "type",
        "version",
        "kind",
        "attempt",
        "count",
        "seconds",
        "route",
        "method",
        "status",
        "partition",
        "offset",
        "consumer",
        "name",
        "reason",
        "roles",
        "path",
        "port",
        "migrations",
        "purpose",
        "provider",
        "step",
        "unit",
    ]
)


def configure(service: str, *, otlp_url: str = "", level: str = "INFO") -> None:
    """Set up logs and traces of this process."""
    _configure_logs(service, level)
    if otlp_url:
        provider = TracerProvider(resource=Resource.create({"service.name": service}))
        exporter = OTLPSpanExporter(endpoint=f"{otlp_url.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
        trace.set_tracer_provider(provider)


def is_tracing() -> bool:
    """Whether anybody collects spans."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)


def flush() -> None:
    """Hand over what is not exported yet."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(3000)


def _configure_logs(service: str, level: str) -> None:
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.formatter = _Formatter("%(levelname)s %(name)s %(message)s")
    for noisy in ("uvicorn.access", "aiokafka", "faststream", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.ERROR)  # uvicorn's access lines would print query strings
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_message,
            _with_trace,
            lambda _, __, entry: {"service": service, **{k: v for k, v in entry.items() if k in FIELDS}},
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


class _Formatter(logging.Formatter):
    """For what libraries log: without the texts of exceptions."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 (logging's name)
        return _way_of(ei[1])


def on_lost_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A task died and nobody asked why; asyncio itself would write the exception's text."""
    exc = context.get("exception")
    log.error("task.failed", error=type(exc).__name__, exc_info=exc)


def _without_message(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    exc = entry.pop("exc_info", None)
    exc = sys.exc_info()[1] if exc is True else exc
    if isinstance(exc, BaseException):
        entry["exception"] = _way_of(exc)
    return entry


def _way_of(exc: BaseException) -> str:
    """An exception as its type and the places it passed: its text may quote a row, and so somebody's data."""
    frames = traceback.extract_tb(exc.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return " > ".join([*places, type(exc).__name__])


def _with_trace(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        entry["trace_id"] = format(context.trace_id, "032x")
        entry["span_id"] = format(context.span_id, "016x")
    return entry


def traceparent() -> str | None:
    """The current span in the W3C form, to be stored with work that goes on later."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


def context_of(parent: str | None) -> Context | None:
    """The stored span as a parent for what happens now."""
    return propagate.extract({"traceparent": parent}) if parent else None


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] = (),
    **attributes: str | int,
) -> Iterator[Span]:
    """A span around the block; `parent` is a stored traceparent, otherwise the current span is the parent.

    It knows the type of what went wrong, not the text, which may quote a row.
    """
    with tracer.start_as_current_span(
        name, context_of(parent), kind, attributes, links, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as exc:
            current.set_status(StatusCode.ERROR, type(exc).__name__)
            raise


def links(parents: list[str | None]) -> list[Link]:
    """Links to many stored spans, for work done on a batch."""
    contexts = [trace.get_current_span(context_of(p)).get_span_context() for p in dict.fromkeys(parents) if p]
    return [Link(c) for c in contexts]


class Observe:
    """ASGI middleware: one server span and one observation a request, named by the route's template."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ("/live", "/ready", "/metrics"):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        status: int | None = None

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        with span(scope["method"], parent=headers.get("traceparent"), kind=SpanKind.SERVER) as current:
            try:
                await self.app(scope, receive, watch)
            except Exception as exc:
                log.error("request.failed", route=_route(scope), error=type(exc).__name__, exc_info=exc)
                if status is None:
                    await problems.answer(problems.Broken())(scope, receive, watch)
            finally:
                route = _route(scope)
                current.update_name(f"{scope['method']} {route}")
                current.set_attributes({"http.route": route, "http.response.status_code": status or 0})
                REQUESTS.labels(scope["method"], route, str(status)).observe(time.perf_counter() - began)


def _route(scope: Scope) -> str:
    """The template of the path: what the path holds stays out."""
    return getattr(scope.get("route"), "path", "unmatched")
