"""What a process uses, by its number, from /proc."""

import os
import re

from .programs import read


def processor(pid):
    """Seconds of processor time: in the program itself, and in the kernel."""
    fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return [int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13]]


def memory(pid):
    """Megabytes that are resident, and the most that ever were."""
    status = read(f"/proc/{pid}/status")
    return tuple(int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM"))


def resident(pid):
    return memory(pid)[0]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def haproxies(folder):
    """The HAProxy processes whose command names this folder: master and workers."""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_haproxy(pid, folder)]


def is_haproxy(pid, folder):
    try:
        command = read(f"/proc/{pid}/cmdline")
        return command.startswith("haproxy") and folder in command
    except OSError:
        return False


def has_ended(pid):
    try:
        return read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
