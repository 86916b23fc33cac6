"""What a child process does just before it becomes its program: it ties itself to its parent, and gives up root.

Only system calls through a handle that is ready beforehand: between fork and exec nothing else is safe.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable
from functools import partial

_LIBC = ctypes.CDLL(None, use_errno=True)
_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2

UNPRIVILEGED = "nobody"
"""Exists on every Unix, so that nothing has to be added to the machine."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def leash(orphan_signal: signal.Signals, *, drop_root: bool) -> Callable[[], None]:
    """The `preexec_fn` of a child that gets a signal when the process that started it is gone (on Linux)."""
    user = pwd.getpwnam(UNPRIVILEGED) if drop_root and os.geteuid() == 0 else None
    return partial(_before_exec, os.getpid(), int(orphan_signal), user)


def _before_exec(parent: int, orphan_signal: int, user: pwd.struct_passwd | None) -> None:
    if user is not None:
        _become(user)
    if _LINUX:
        _LIBC.prctl(_PR_SET_PDEATHSIG, orphan_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)


def _become(user: pwd.struct_passwd) -> None:
    """Root becomes an ordinary user who may still pass closed folders: the checkout may lie below root's home.

    PostgreSQL refuses user id 0; it does not mind a capability. Where the kernel grants none, permissions decide.
    """
    if _LINUX:  # else the kernel takes the capability at setuid, and hides it from access(2), which initdb asks
        _LIBC.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    with contextlib.suppress(PermissionError):
        os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    if _LINUX:
        _keep_passage()


def _keep_passage() -> None:
    wanted = 1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH
    header = _Header(_CAPABILITY_VERSION_3, 0)
    sets = (_Sets * 2)(_Sets(wanted, wanted, wanted), _Sets(0, 0, 0))
    if _LIBC.capset(ctypes.byref(header), sets) == 0:
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
