"""`python -m deploy.load generate …`."""

import sys

import typer

from deploy.load import app
from deploy.local.trouble import Trouble

try:
    app()
except Trouble as trouble:
    typer.secho(str(trouble), fg="red", err=True)
    sys.exit(1)
