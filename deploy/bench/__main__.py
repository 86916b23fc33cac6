"""`python -m deploy.bench [NAME] [--json]`."""

from deploy.bench import app

app()
