"""Compose's file, as words of `docker create`."""

import os
import re
import resource
import sys

from ...Harness.programs import ROOT

PREFIX = "sallyport-compose"
# Keys that others look after: the container's image, command, networks and order.
ELSEWHERE = ("image", "command", "depends_on", "networks", "env_file", "ports", "entrypoint")


def filled(value, environment):
    """Compose's ${NAME:-default}, ${NAME-default}, ${NAME:?error}."""
    if isinstance(value, dict):
        return {key: filled(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, environment) for item in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\$\{(\w+)(?::?-|:\?)?([^}]*)\}", lambda match: environment.get(match[1], match[2]), value)


def most_files():
    """How many open files this machine allows."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def limits(value):
    most = most_files()
    return [f"--ulimit={name}={min(int(item['soft']), most)}:{min(int(item['hard']), most)}" for name, item in value.items()]


def volumes(value):
    words = []
    for item in value:
        source, rest = item.split(":", 1)
        if source.startswith("."):
            source = os.path.normpath(f"{ROOT}/containers/{source}")
        words += ["--volume", f"{source if source.startswith('/') else f'{PREFIX}-{source}'}:{rest}"]
    return words


OPTIONS = {
    "restart": lambda _: ["--restart", "no"],
    "read_only": lambda value: ["--read-only"] if value else [],
    "cap_drop": lambda value: [f"--cap-drop={item}" for item in value],
    "cap_add": lambda value: [f"--cap-add={item}" for item in value],
    "security_opt": lambda value: [f"--security-opt={item}" for item in value],
    "logging": lambda value: ["--log-driver", value["driver"], *[f"--log-opt={name}={item}" for name, item in value["options"].items()]],
    "user": lambda value: ["--user", value],
    "network_mode": lambda value: ["--network", value],
    "pids_limit": lambda value: ["--pids-limit", str(value)],
    "mem_limit": lambda value: ["--memory", value],
    "sysctls": lambda value: [f"--sysctl={name}={item}" for name, item in value.items()],
    "environment": lambda value: [f"--env={name}={item}" for name, item in value.items() if item != ""],
    "ulimits": limits,
    "healthcheck": lambda value: ["--health-cmd", value["test"][1], "--health-interval=1s", f"--health-timeout={value['timeout']}"],
    "volumes": volumes,
}


def options(service):
    """The words of `docker create` for one service, without its networks; a key that this doesn't know is an error."""
    if unknown := service.keys() - OPTIONS.keys() - set(ELSEWHERE):
        sys.exit(f"compose.yaml: {', '.join(sorted(unknown))} is not known here")
    return [word for key, value in service.items() if key not in ELSEWHERE for word in OPTIONS[key](value)]
