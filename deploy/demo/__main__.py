"""`python -m deploy.demo [--json]`."""

import sys

import typer

from deploy.demo import app
from deploy.local.trouble import Trouble

try:
    app()
except Trouble as trouble:
    typer.secho(str(trouble), fg="red", err=True)
    sys.exit(1)
