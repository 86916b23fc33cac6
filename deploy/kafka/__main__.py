"""`python -m deploy.kafka …`: in an image, where there is no `./motcua`."""

import sys

import typer

from deploy.kafka.commands import app
from deploy.local.trouble import Trouble

try:
    app(prog_name="python -m deploy.kafka")
except Trouble as trouble:
    typer.secho(str(trouble), fg="red", err=True)
    sys.exit(1)
