"""The rules of the house (docs/adr): who imports whom, may call what, says and hears what; how big things are."""

import ast
import importlib
import inspect
import pkgutil
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

import asyncpg
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from contracts.envelope import Audience, Channel
from contracts.registry import CHANNELS
from deploy import docs
from kit.db import Database
from kit.inbox import Inbox

ROOT = Path(__file__).parents[1]
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml"))
KIT_LINES = 2300
LONGEST = 40
TYPICAL = 9

MEANINGS = {
    "app.py": "the service, one statement",
    "api.py": "HTTP in",
    "pages.py": "HTTP in, for people: HTML",
    "subscribers.py": "Kafka in",
    "timers.py": "time in: deadlines and jobs",
    "domain.py": "the rules, pure",
    "store.py": "every SQL statement",
    "settings.py": "configuration of its own",
    "clients.py": "who it calls",
    "commands.py": "commands of its own",
    "words.py": "what it says to people",
    "README.md": "owns · says · hears · states",
    "pyproject.toml": "its dependencies",
    "__init__.py": "a package",
    "py.typed": "typed",
}
"""The same name always means the same thing; a file that is none of these says here what it is."""
OWN = {
    "services/dossier/tenant.py": "the province's data: units, calendar, policy, procedures",
    "services/dossier/typesetting.py": "official forms as PDF",
    "services/dossier/faults.py": "what keeps something from being sent",
    "services/dossier/attachments/examination.py": "from quarantine to clean",
    "services/dossier/attachments/inspection.py": "whether a file is what it claims",
    "services/dossier/attachments/parsing.py": "the program that takes strangers' files apart",
    "services/dossier/attachments/sandbox.py": "runs that program, within limits",
    "services/dossier/attachments/signatures.py": "signatures of citizens' files",
    "services/dossier/databases/asking.py": "look-ups outside transactions, written down",
    "services/dossier/catalogue/checks.py": "what a procedure must be before it is published",
    "services/dossier/catalogue/expressions.py": "the language of conditions, questions and fees",
    "services/dossier/filing/answers.py": "what e-forms ask, and whether the answers fit",
    "services/dossier/supplement/issuing.py": "issuing a request, confirming what came, closing what did not",
    "services/dossier/clocks/acts.py": "which clocks start and stop as a dossier moves",
    "services/dossier/clocks/policy.py": "the law's time limits as versioned profiles",
    "services/dossier/clocks/calendar.py": "working time, holidays, deadlines",
    "services/dossier/forms/making.py": "official forms as signed documents",
    "services/dossier/results/keys.py": "signing keys and the roots that vouch for them",
    "services/dossier/results/handover/posting.py": "results on their way by post",
    "services/dossier/results/uploads.py": "results that were written elsewhere",
    "services/dossier/interlinked/following.py": "what a member orders for its parent",
    "services/dossier/interlinked/groups/checks.py": "what a group must be before it is used",
    "services/dossier/interlinked/members.py": "how a member becomes a dossier",
    "services/dossier/interlinked/opening.py": "what a draft of a group consists of, and its parent",
    "services/dossier/results/signing.py": "PAdES signatures",
    "services/gateway/sessions.py": "who is logged in",
    "services/identity/passwords.py": "Argon2id",
    "services/identity/officers/factors.py": "TOTP and passkeys",
    "services/identity/otp/codes.py": "sending a one-time password and taking it back",
    "services/identity/seed.py": "the tenant's units and officers, put in at start",
    "services/identity/tokens.py": "signed access tokens",
    "services/notification/systems/outbound/guard.py": "whereto connections may be opened",
    "services/notification/systems/outbound/sealing.py": "secrets at rest",
    "services/notification/systems/outbound/signatures.py": "Standard Webhooks",
    "services/notification/systems/outbound/tls.py": "certificates, theirs and ours",
    "services/notification/systems/outbound/tokens.py": "OAuth 2.0 client credentials",
    "services/notification/people/cursors.py": "places in a list",
    "services/notification/people/outcomes.py": "what became of a message, written down, said and counted",
    "services/notification/people/sending.py": "how one message gets out of the house",
    "services/notification/people/tenant.py": "the province's data, as far as messages need it",
    "services/notification/systems/national/checking.py": "what the portal has, against what was heard",
    "services/notification/systems/national/watching.py": "how far the portal is behind",
    "services/notification/systems/national/destination.py": "one event as the calls that are due at the portal",
    "services/notification/systems/delivery/engine.py": "sends what the lines let go",
    "services/notification/systems/delivery/feed.py": "the journal's newest part in memory",
    "services/notification/systems/delivery/forgetting.py": "how long what is kept",
    "services/notification/systems/delivery/line.py": "one subscription's order, without I/O",
    "services/notification/systems/running.py": "what runs beside the worker",
    "services/notification/systems/subscriptions/registry.py": "who may subscribe",
    "services/payment/collecting.py": "what news of money does",
    "services/payment/receipts/document.py": "a receipt as a signed file",
    "services/payment/receipts/making.py": "a receipt's file, made once",
    "services/payment/reconciliation/fetching.py": "statements that come by themselves",
    "services/payment/reconciliation/matching.py": "a statement against the ledger",
    "services/tracking/answers.py": "what several answers are made of",
    "services/tracking/sheets.py": "tables as files for spreadsheets",
    "services/tracking/live/watch.py": "one look a second for everybody who listens",
    "services/tracking/freshness.py": "waiting for the projection",
    "services/tracking/rebuild/making.py": "making the projection anew while it serves",
    "services/tracking/rebuild/reading.py": "from Kafka into the schema that is being filled",
    "services/tracking/rebuild/shares.py": "filling with several processes",
    "services/tracking/lookup/limits.py": "how often a stranger may look",
}
FOLDERS = {"migrations", "static", "templates", "providers", "forms", "formats", "__pycache__"}
"""Folders whose files are named after what they hold."""


def _code(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (p for p in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in p.parts)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), path.name)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ── who imports whom ──


def test_imports_follow_the_layers() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    said = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


DOMAINS = [pytest.param(p, id=_name(p)) for p in _code("services") if p.name == "domain.py"]


@pytest.mark.parametrize("path", DOMAINS)
def test_the_rules_import_the_standard_library_and_the_contracts_only(path: Path) -> None:
    own = ".".join(path.relative_to(ROOT).parts[:2])
    strangers = [name for name in _imports(path) if not _may_be_in_rules(name, own)]
    assert strangers == []


def _may_be_in_rules(module: str, own: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top == "contracts" or module.startswith(own)


IMPURE = {"now", "utcnow", "today", "uuid1", "uuid4", "uuid7", "monotonic", "random", "urandom", "open"}


@pytest.mark.parametrize("path", DOMAINS)
def test_the_rules_have_no_clock_no_chance_and_no_files(path: Path) -> None:
    calls = (node.func for node in ast.walk(_tree(path)) if isinstance(node, ast.Call))
    names = {f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in calls}
    assert names & IMPURE == set(), "pass it in"


# ── who may call what ──


@pytest.fixture(scope="module", params=SERVICES)
def app(request: pytest.FixtureRequest) -> FastAPI:
    built: FastAPI = importlib.import_module(f"services.{request.param}.app").app
    return built


def test_every_route_names_who_may_call_it(app: FastAPI) -> None:
    routes = [route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute)]
    assert routes, "no route at all: the walk is broken"
    assert [f"{r.methods} {r.path}" for r in routes if not set(_callers(r.dependant))] == []


def test_no_request_takes_a_thread(app: FastAPI) -> None:
    """FastAPI runs routes and dependencies that are plain functions in threads: most of a small request's time."""
    routes = [route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute)]
    calls = {call for route in routes for call in _calls(route.dependant)}
    assert sorted(f"{c.__module__}.{c.__qualname__}" for c in calls if not inspect.iscoroutinefunction(c)) == []


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _callers(dependant: Dependant) -> Iterator[str]:
    if who := getattr(dependant.call, "who_may_call", None):
        yield who
    for inner in dependant.dependencies:
        yield from _callers(inner)


# ── who says and hears what ──


def test_every_channel_has_an_owner_that_exists() -> None:
    assert [channel.name for channel in CHANNELS if channel.owner not in SERVICES] == []


def _inbox(service: str) -> Inbox | None:
    if not (ROOT / "services" / service / "subscribers.py").exists():
        return None
    found: Inbox = importlib.import_module(f"services.{service}.subscribers").inbox
    return found


def _heard(service: str) -> set[str]:
    inbox = _inbox(service)
    return set(inbox.subscriptions) if inbox else set()


def test_every_internal_channel_is_heard() -> None:
    heard = set().union(*map(_heard, SERVICES))
    internal = {channel.name for channel in CHANNELS if channel.audience is Audience.INTERNAL}
    assert internal - heard == set(), "nobody hears it: make it public or say nothing"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_hears_only_what_is_registered_and_not_itself(service: str) -> None:
    registered = {channel.name: channel for channel in CHANNELS}
    assert _heard(service) <= set(registered)
    assert [name for name in _heard(service) if registered[name].owner == service] == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_inbox_of_a_service_is_its_own(service: str) -> None:
    inbox = _inbox(service)
    assert inbox is None or inbox.consumer == service, "the consumer group is the service's name"


def _names(path: Path, function: str) -> Iterator[str]:
    """First names given to a function: the constants in `outbox.record(tx, DOSSIERS, …)`."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == function:
            yield from (argument.id for argument in node.args if isinstance(argument, ast.Name))


def _constants() -> dict[str, Channel]:
    """The names under which the contracts define their channels."""
    modules = [importlib.import_module(f"contracts.{m.name}") for m in pkgutil.iter_modules([ROOT / "contracts"])]
    return {name: value for m in modules for name, value in _channels_in(m)}


def _channels_in(module: ModuleType) -> Iterator[tuple[str, Channel]]:
    return ((name, value) for name, value in vars(module).items() if isinstance(value, Channel))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_exactly_what_it_owns(service: str) -> None:
    constants = _constants()
    used = (name for path in _code(f"services/{service}") for name in _names(path, "record"))
    said = {constants[name].name for name in used if name in constants}
    assert said == {channel.name for channel in CHANNELS if channel.owner == service}


def test_only_the_owner_makes_events() -> None:
    owners = {event.__name__: channel.owner for channel in CHANNELS for event in channel.events}
    for path in _code("services"):
        made = {n.func.id for n in ast.walk(_tree(path)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        service = path.relative_to(ROOT).parts[1]
        assert {name for name in made if owners.get(name, service) != service} == set(), _name(path)


# ── kit knows nothing of the domain, and stays small ──

DOMAIN_WORDS = re.compile(
    "dossiers?|fees?|supplements?|procedures?|receipts?|components?|appointments?|applicants?|payments?|refunds?"
    "|desk|specialist|hồ|sơ|phí|vnpay|vneid"
)
WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])")


def _words(path: Path) -> Iterator[tuple[int, str]]:
    """Every word of its names and texts; comments and docstrings may give examples."""
    explained = {node.lineno for node in ast.walk(_tree(path)) if _is_docstring(node)}
    with path.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.NAME or (token.type == tokenize.STRING and token.start[0] not in explained):
                yield from ((token.start[0], word.lower()) for word in WORD.findall(token.string))


def _is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@pytest.mark.parametrize("path", [pytest.param(p, id=_name(p)) for p in _code("kit")])
def test_kit_holds_no_word_of_the_domain(path: Path) -> None:
    assert [f"line {line}: {word}" for line, word in _words(path) if DOMAIN_WORDS.fullmatch(word)] == []


def _lines_of_code(path: Path) -> int:
    """Lines that hold code: neither empty, nor comment, nor docstring."""
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
    docs = {n for node in ast.walk(_tree(path)) if _is_docstring(node) for n in _span(node)}
    with path.open("rb") as source:
        tokens = [t for t in tokenize.tokenize(source.readline) if t.type not in skip and t.string]
    return len({n for t in tokens for n in range(t.start[0], t.end[0] + 1)} - docs)


def _span(node: ast.AST) -> range:
    assert isinstance(node, ast.expr | ast.stmt)
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def test_kit_stays_small() -> None:
    assert sum(map(_lines_of_code, _code("kit"))) <= KIT_LINES


# ── files and functions ──


@pytest.mark.parametrize("service", SERVICES)
def test_a_file_name_says_what_is_in_it(service: str) -> None:
    folder = ROOT / "services" / service
    files = [p for p in folder.rglob("*") if p.is_file() and not FOLDERS & set(p.relative_to(folder).parts)]
    assert [_name(p) for p in files if p.name not in MEANINGS and _name(p) not in OWN] == []


def test_migrations_are_numbered_without_a_hole() -> None:
    for folder in [ROOT / "kit" / "migrations", *(ROOT / "services").glob("*/migrations")]:
        names = sorted(path.name for path in folder.iterdir())
        assert [name[:5] for name in names] == [f"{n:04d}_" for n in range(1, len(names) + 1)], folder
        assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name) for name in names), names


@pytest.mark.parametrize("service", SERVICES)
def test_an_app_is_one_statement(service: str) -> None:
    body = _tree(ROOT / "services" / service / "app.py").body
    statements = [
        node for node in body if not isinstance(node, ast.Import | ast.ImportFrom) and not _is_docstring(node)
    ]
    assert len(statements) == 1


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _functions(*folders: str) -> Iterator[tuple[str, int]]:
    """Every function with its own number of lines: without decorators, docstring and functions inside it."""
    for path in _code(*folders):
        for node in ast.walk(_tree(path)):
            if isinstance(node, FUNCTIONS):
                apart = [n for n in ast.walk(node) if n is not node and isinstance(n, FUNCTIONS)] + node.body[:1]
                lines = {line for n in apart if _is_docstring(n) or isinstance(n, FUNCTIONS) for line in _span(n)}
                yield f"{_name(path)}:{node.lineno} {node.name}", len(set(_span(node)) - lines)


def test_functions_are_short() -> None:
    lengths = dict(_functions("contracts", "kit", "services"))
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}
    assert statistics.median(lengths.values()) <= TYPICAL


# ── what is drawn from the code ──


def test_drawings_are_fresh() -> None:
    assert docs.stale() == [], "run python -m deploy.docs"


# ── decisions ──

DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
PARTS = ("**Context.**", "**Decision.**", "**Consequences.**", "**Alternatives", "**Enforced by**")


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in DECISIONS])
def test_a_decision_is_one_page_and_names_what_enforces_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert [part for part in PARTS if part not in text] == []
    assert len(text.splitlines()) <= 60
    assert f"({path.name})" in (path.parent / "README.md").read_text("utf-8")
    enforced = re.findall(r"`((?:tests|\.ci)/[\w/.]+)`", text.partition("**Enforced by**")[2])
    assert [name for name in enforced if not (ROOT / name).exists()] == []


# ── SQL ──

STATEMENT = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s", re.ASCII)


def _sql(*folders: str) -> Iterator[tuple[str, str]]:
    """Every UPPER_CASE constant that is a statement."""
    for path in _code(*folders):
        for node in _tree(path).body:
            if isinstance(node, ast.Assign) and _is_statement(node.value):
                (target,) = node.targets
                assert isinstance(target, ast.Name)
                assert target.id.isupper(), f"{_name(path)}: {target.id}"
                yield f"{_name(path)}:{node.lineno} {target.id}", ast.literal_eval(node.value)


def _is_statement(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(STATEMENT.match(node.value))


@pytest.mark.parametrize("path", [pytest.param(p, id=_name(p)) for p in _code("services") if p.name != "store.py"])
def test_sql_stands_in_store(path: Path) -> None:
    assert [node.lineno for node in ast.walk(_tree(path)) if _is_statement(node)] == []


@pytest.mark.parametrize("path", [pytest.param(p, id=_name(p)) for p in _code("services") if p.name == "store.py"])
def test_sql_has_a_name(path: Path) -> None:
    """Inline SQL is not proofread by PostgreSQL below."""
    tree = _tree(path)
    named = {node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert [n.lineno for n in ast.walk(tree) if _is_statement(n) and n not in named] == []


@pytest.mark.parametrize("service", [name for name in SERVICES if (ROOT / "services" / name / "migrations").exists()])
async def test_postgresql_understands_every_statement(
    service: str, make_database: Callable[[str], Awaitable[Database]]
) -> None:
    db = await make_database(service)
    wrong = {}
    async with db.connection() as connection:
        for name, sql in _sql("kit", f"services/{service}"):
            try:
                await connection.prepare(sql)
            except asyncpg.PostgresError as exc:
                wrong[name] = str(exc)
    assert wrong == {}
