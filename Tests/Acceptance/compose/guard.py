"""The engine's guard: what it refuses, and what it lets through."""

import json
import sys

from ...Harness.http import over_unix_socket
from .services import container, mountpoint, tolerant

NAME = "?name=sallyport-us-9-g1"
LABELS = {
    "owner": "sallyport",
    "exit": "us-9",
    "generation": "1",
    "server": "198.18.1.10",
    "specification": "0123456789abcdef",
    "fence": "1",
    "credential": "1",
}
# The case `tunnel` of ExitCommand, in the same file as the template.
COMMAND = (
    "wg show wg0 latest-handshakes && wg show wg0 transfer && "
    "if [ -e /run/counts-leaks ]; then nft list table inet sallyport_leaks 2>&1; true; fi"
)


def exit_body(image):
    """What the controller sends for a new exit: the template of Sources/DockerEngine/ExitTemplate.swift."""
    return {
        "Image": image,
        "Hostname": "exit",
        "Entrypoint": ["/exit"],
        "Env": [],
        "StopSignal": "SIGTERM",
        "Labels": {f"io.sallyport.{name}": value for name, value in LABELS.items()},
        "Healthcheck": {
            "Test": ["CMD", "/healthcheck"],
            "Interval": 30_000_000_000,
            "Timeout": 5_000_000_000,
            "StartPeriod": 15_000_000_000,
            "Retries": 3,
        },
        "HostConfig": {
            "NetworkMode": "sallyport",
            "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges"],
            "CapDrop": ["ALL"],
            "CapAdd": ["NET_ADMIN", "SETUID", "SETGID", "SYS_CHROOT"],
            "Devices": [{"PathOnHost": "/dev/net/tun", "PathInContainer": "/dev/net/tun", "CgroupPermissions": "rwm"}],
            "Tmpfs": {"/run": "rw,noexec,nosuid,nodev,size=1m,mode=0755", "/proxy/etc": "rw,noexec,nosuid,nodev,size=64k,mode=0755"},
            "Sysctls": {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv4.conf.all.src_valid_mark": "1", "net.ipv4.tcp_tw_reuse": "1"},
            "Mounts": [{"Type": "volume", "Target": "/config"}],
            "Memory": 256 << 20,
            "MemorySwap": 256 << 20,
            "PidsLimit": 2304,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
        },
        "NetworkingConfig": {"EndpointsConfig": {"sallyport": {}}},
    }


class Requests:
    """Requests to the guard about an exit's container: method, target, body."""

    def __init__(self, image):
        self.good = exit_body(image)

    def create(self, change=lambda body: None, query=NAME, text=None):
        body = json.loads(json.dumps(self.good))
        change(body)
        return "POST", f"/v1.41/containers/create{query}", text or json.dumps(body)

    def host(self, **fields):
        """With other fields of HostConfig."""
        return self.create(lambda body: body["HostConfig"].update(fields))

    def replaced(self, old, new):
        """With another text."""
        return self.create(text=json.dumps(self.good).replace(old, new))


def program(running, **fields):
    """The one program that the controller runs in an exit."""
    body = {"Cmd": ["busybox", "sh", "-c", COMMAND], "AttachStdout": True, "AttachStderr": True, **fields}
    return "POST", f"/v1.41/containers/{running}/exec", json.dumps(body)


def containers_to_refuse(of):
    """Containers that are no exits."""
    more = ['"Privileged" : true,', '"privileged"\t:true,', '"Binds"\n: ["/:/h"],', '"Mounts" : [{"Type" : "bind"}],']
    return [
        of.host(Privileged=True),
        of.host(privileged=True),
        of.host(Binds=["/:/host"]),
        of.host(PidMode="host"),
        of.host(NetworkMode="host"),
        of.host(NetworkMode="container:x"),
        of.host(CapAdd=["SYS_ADMIN"]),
        of.host(CapAdd="ALL"),
        of.host(Mounts=[{"Type": "bind", "Source": "/", "Target": "/h"}]),
        of.host(Devices=[{"PathOnHost": "/dev/sda"}]),
        of.host(SecurityOpt=["seccomp=unconfined"]),
        of.host(capadd=["SYS_ADMIN"]),
        of.host(CapDrop=[]),
        of.create(lambda body: body.update(Image="debian")),
        of.create(lambda body: body.update(image="debian")),
        of.create(lambda body: body.update(User="0")),
        of.create(query="?name=other"),
        of.create(query=""),
        of.create(text="{}"),
        of.replaced('"CapDrop"', '"\\u0050rivileged": true, "CapDrop"'),
        # What the good one is made of, and one thing more, with blanks where they may be.
        *[of.replaced('"HostConfig": {', '"HostConfig": {' + field) for field in [*more, '"Devices":[{"PathOnHost" : "/dev/sda"}],']],
        # Behind a line feed; what is wanted, where Docker does not look; a second network.
        of.replaced('["no-new-privileges"]', '\n["seccomp=unconfined"]'),
        of.replaced('"NetworkMode": "sallyport"', '\n"NetworkMode":\n"host"'),
        of.create(lambda body: body.update(Decoy=body.pop("HostConfig"), HostConfig={"NetworkMode": "host"})),
        of.create(lambda body: body["NetworkingConfig"]["EndpointsConfig"].update(bridge={})),
    ]


def calls_to_refuse(running):
    """Calls about others' containers and the engine itself, and other programs in an exit."""
    return [
        ("GET", f"/v1.41/containers/{container('traefik')}/json", ""),
        ("DELETE", f"/v1.41/containers/{container('redis')}?force=true", ""),
        ("POST", f"/v1.41/containers/{container('guard')}/exec", "{}"),
        ("GET", "/v1.41/info", ""),
        ("GET", "/v1.41/volumes", ""),
        ("POST", "/v1.41/images/create?fromImage=debian&repo=sallyport-exit", ""),
        ("POST", "/v1.41/build", ""),
        ("GET", "/v1.41/secrets", ""),
        ("GET", "/v1.41/containers/sallyport-us-1-g1/../../info", ""),
        ("GET", "/v1.41/containers/sallyport-us-1-g1/%2e%2e/x/json", ""),
        ("POST", "/v1.41/containers/sallyport-us-1-g1/update", "{}"),
        ("POST", "/v1.41/networks/create", '{"Name":"x"}'),
        ("POST", "/v1.41/networks/sallyport-front/connect", json.dumps({"Container": running})),
        ("POST", "/v1.41/networks/sallyport/disconnect", json.dumps({"Container": running})),
        ("DELETE", "/v1.41/networks/sallyport", ""),
        program(running, Privileged=True),
        program(running, User="0"),
        program(running, Cmd=["nft", "flush", "ruleset"]),
    ]


def guard_refuses(image, running):
    """Ways to the machine through the engine, each of which must be 403; and one that must not. The fuzzed suite is Tests/EngineGuardTests."""
    of, path = Requests(image), mountpoint("engine") + "/docker.sock"
    bad = containers_to_refuse(of) + calls_to_refuse(running)
    wrong = [(request, status) for request in bad if (status := over_unix_socket(path, *request)) != 403]
    allowed, begun = over_unix_socket(path, *of.create()), over_unix_socket(path, *program(running))
    tolerant("rm", "-f", "sallyport-us-9-g1")
    print(f"guard: {len(bad) - len(wrong)} of {len(bad)} refused; an exit's own container: {allowed}, its program: {begun}")
    if wrong or (allowed, begun) != (201, 201):
        sys.exit(f"the guard let through: {wrong}")
