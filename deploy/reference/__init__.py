"""`./motcua docs`: all public events on one page that needs no network, in Vietnamese and English.

Made from the AsyncAPI document, not from the classes: what a subscriber's tools read is what people read.
"""

import json
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from contracts import asyncapi
from contracts.envelope import Audience
from deploy.local import places

Json = dict[str, Any]
HERE = Path(__file__).parent
REF = "#/components/schemas/"
LIMITS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "pattern", "default")

app = typer.Typer(add_completion=False, help="The public events as one page.")


@app.command()
def docs(
    to: Annotated[
        Path | None, typer.Option(help="The file to write; in the checkout's own folder when left out.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the page of all public events: self-contained, fit to be sent to a subscriber or put on any web server."""
    path = (to or places.make(places.state()) / "events.html").resolve()
    path.write_text(page(asyncapi.document()), "utf-8")
    typer.echo(path)
    if show:
        webbrowser.open(path.as_uri())


def page(document: Json) -> str:
    """The HTML page of an AsyncAPI document's public channels."""
    words = yaml.safe_load((HERE / "vi.yaml").read_text("utf-8"))
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"prose": _prose, "json": _pretty, "kind": _kind, "limits": _limits}
    return environment.get_template("page.html.jinja").render(
        info=document["info"],
        headers=document["components"]["schemas"]["CloudEventHeaders"],
        channels=list(map(_channel(document), _public(document))),
        schemas=_used(document),
        event_vi={name: text.split(" | ") for name, text in words["events"].items()},
        field_vi=words["fields"],
    )


def _public(document: Json) -> list[Json]:
    return [one for one in document["channels"].values() if one["x-audience"] == Audience.PUBLIC]


def _channel(document: Json) -> Any:
    def complete(channel: Json) -> Json:
        """The channel with its messages, and each with its schema, in place of references."""
        messages = [document["components"]["messages"][name] for name in channel["messages"]]
        schemas = document["components"]["schemas"]
        return channel | {"events": [message | {"body": schemas[message["title"]]} for message in messages]}

    return complete


def _used(document: Json) -> dict[str, Json]:
    """The parts and words that the public events are made of, by name; themselves not among them."""
    schemas = document["components"]["schemas"]
    events = [name for channel in _public(document) for name in channel["messages"]]
    found: set[str] = set()
    left = [schemas[name] for name in events]
    while left:
        new = _referenced(left.pop()) - found
        found |= new
        left += [schemas[name] for name in new]
    return {name: schemas[name] for name in sorted(found)}


def _referenced(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"].removeprefix(REF)} if "$ref" in schema else set()
        return own.union(*map(_referenced, schema.values()))
    return set().union(*map(_referenced, schema)) if isinstance(schema, list) else set()


def _kind(schema: Json) -> Markup:
    """The type of a field in words, with links to what it is made of."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(REF))
        return Markup('<a href="#{}">{}</a>').format(name, name)
    if "anyOf" in schema:
        return Markup(" | ").join(_kind(one) for one in schema["anyOf"])
    if "allOf" in schema:
        return _kind(schema["allOf"][0])
    if schema.get("type") == "array":
        return Markup("{} […]").format(_kind(schema.get("items", {})))
    if "const" in schema:
        return Markup("<code>{}</code>").format(json.dumps(schema["const"], ensure_ascii=False))
    return escape(schema.get("format") or schema.get("type") or "any")


def _limits(schema: Json) -> str:
    """What else is said about a value."""
    return ", ".join(f"{name} {json.dumps(schema[name], ensure_ascii=False)}" for name in LIMITS if name in schema)


def _prose(text: str) -> Markup:
    """Paragraphs, and `code` as code."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        parts = [
            Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(paragraph.split("`"))
        ]
        paragraphs.append(Markup("<p>{}</p>").format(Markup("").join(parts)))
    return Markup("\n").join(paragraphs)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
