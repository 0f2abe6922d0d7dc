"""Is the process that started a run still at work? Guarded against recycled process numbers."""

import os
from functools import cache
from pathlib import Path


@cache
def this_host() -> str:
    return os.uname().nodename


def token(pid: int) -> str:
    """BOOT:NAMESPACE:START of a process on this host, empty where there is none or nobody tells.

    The start counts clock ticks since the machine booted (proc(5), field 22 of /proc/PID/stat).
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    if state in "ZX":  # a zombie has ended, only its parent has not looked yet
        return ""
    return f"{_machine()}:{fields[18]}"


@cache
def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    try:
        return f"{boot.read_text().strip()}:{namespace.readlink().name.strip('pid:[]')}"
    except OSError:
        return ":"


def gone(host: str, pid: int, recorded: str) -> bool:
    """True if the process is known to have ended; False while it lives or where nobody here can know."""
    if host != this_host() or pid <= 0:
        return False
    if not recorded:
        return not _exists(pid)
    boot, namespace, _ = recorded.split(":")
    here, own_namespace = _machine().split(":")
    if boot != here:
        return True
    return namespace == own_namespace and token(pid) != recorded


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
