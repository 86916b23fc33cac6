"""Plays a dossier's whole way on the running system: `./motcua demo`, or `python -m deploy.demo [--json]`.

A citizen files for a copy of a civil status record, the desk accepts, the fee is paid at the bank, the leader signs,
the clerk seals, the citizen has the result. Every act is an HTTP call to the real interfaces; every message is read
where it arrived. Exit code 0 only if everything was seen.
"""

import asyncio
import json
from typing import Annotated

import typer

from deploy.demo.eyes import Unseen
from deploy.demo.screen import begin, show, show_end
from deploy.demo.story import Story
from deploy.demo.web import Refused, Unreachable
from deploy.local import running
from deploy.local.trouble import Trouble

app = typer.Typer(add_completion=False, help="Play a dossier's whole way on the running system.")


@app.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print what was seen as JSON, at the end.")] = False,
) -> None:
    """From login to the result in hand; prints each step, the events it caused, and when tracking showed them."""
    state = running.read_state()
    if state is None or not running.is_running():
        raise Trouble("Một Cửa is not running: start it with `./motcua up --detach`, then run the demonstration again.")
    site = running.site(state["ports"])
    story = Story(site) if as_json else Story(site, on_begin=begin, on_step=show)
    failure = asyncio.run(_play(story))
    if as_json:
        typer.echo(json.dumps(story.as_json(failure), ensure_ascii=False, indent=2))
    else:
        show_end(story, failure)
    if failure:
        raise typer.Exit(1)


async def _play(story: Story) -> str:
    """What went wrong, for people; empty when everything was seen."""
    try:
        await story.play()
    except (Unseen, Refused, Unreachable) as trouble:
        return str(trouble)
    finally:
        await story.close()
    return ""
