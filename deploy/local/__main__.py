"""`python -m deploy.local …`: the commands of `./motcua`, which a Ctrl-C ends silently even while they load."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # the launcher blocked it

from deploy.local.cli import main  # noqa: E402

signal.signal(signal.SIGINT, signal.default_int_handler)
main()
