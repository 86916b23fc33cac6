"""A browser without JavaScript: follows links and forms of the page it is on, and keeps its cookies."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx2

VOID = {"input", "meta", "link", "br", "img", "hr"}


@dataclass
class Form:
    """A form of a page as it would be sent untouched; a button's name is sent only when it is pressed."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """Text, forms, links, and inputs that have no name for people."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.title = "", ""
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.inputs: list[dict[str, str]] = []
        self.labels: set[str] = set()
        self.redirects_to = ""
        self._open: list[str] = []
        self.feed(html)

    @property
    def nameless(self) -> list[dict[str, str]]:
        return [i for i in self.inputs if i.get("id") not in self.labels and "aria-label" not in i and not i["inside"]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        match tag:
            case "form":
                self.forms.append(Form(about.get("action", ""), about.get("method", "get")))
            case "a":
                self.links.append(about.get("href", ""))
            case "label":
                self.labels.add(about.get("for", ""))
            case "meta" if about.get("http-equiv") == "refresh":
                self.redirects_to = about["content"].partition("url=")[2]
            case "input":
                self._input(about)

    def _input(self, about: dict[str, str]) -> None:
        kind = about.get("type", "text")
        if kind != "hidden":
            self.inputs.append({**about, "inside": "yes" if "label" in self._open else ""})
        sent = kind not in ("radio", "checkbox", "file") or "checked" in about
        if self.forms and sent and "name" in about:
            self.forms[-1].fields[about["name"]] = about.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "title":
            self.title += data
        self.text += data


class Browser:
    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.answer = httpx2.Response(200)
        self.page = Reader("")

    async def open(self, path: str) -> "Browser":
        return await self._show(await self.http.get(path, follow_redirects=True))

    async def submit(
        self, action: str = "", files: Any = None, follow: bool = True, headers: Any = None, **fields: str
    ) -> "Browser":
        """Send the first form whose address contains `action`, filled in with `fields`."""
        form = next(form for form in self.page.forms if action in form.action and form.method == "post")
        where = urljoin(str(self.answer.url), form.action)
        data = {**form.fields, **fields}
        return await self._show(
            await self.http.post(where, data=data, files=files, follow_redirects=follow, headers=headers)
        )

    async def _show(self, answer: httpx2.Response) -> "Browser":
        self.answer = answer
        self.page = Reader(answer.text if "html" in answer.headers.get("content-type", "") else "")
        return self

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def path(self) -> str:
        return self.answer.url.path

    @property
    def text(self) -> str:
        return " ".join(self.page.text.split())
