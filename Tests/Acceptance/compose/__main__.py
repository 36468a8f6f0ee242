import argparse
import os
import re
import shutil
import sys
import tempfile

from ...Harness import environment
from ...Harness.lab import Lab
from ...Harness.programs import ENGINE, ROOT, docker, read, run, until, write
from ...Harness.stand import DOMAIN, certificate
from . import __doc__ as description
from . import trials
from .file import filled
from .guard import guard_refuses
from .networks import check_networks, check_own
from .services import (
    HERE,
    SUBNETS,
    TRAEFIK_IMAGE,
    import_images,
    inspect,
    mountpoint,
    print_logs,
    remove,
    start_by_compose,
    start_by_docker,
)


def configure(folder, lab):
    """The controller's configuration, readable for its user."""
    text = lab.up()
    token = re.search(r"access_token_file: (\S+)", text)[1].strip("'\"")
    shutil.copy(token, f"{folder}/config/token")
    certificate(f"{folder}/config", "proxies")
    text = text.replace(token, "/etc/sallyport/token").replace(f"127.0.0.1:{lab.port}", f"{HERE}:{lab.port}")
    write(f"{folder}/config/sallyport.yaml", text)
    run("chmod", "-R", "a+rX", f"{folder}/config")


def settings(folder):
    return os.environ | {
        "SALLYPORT_CONFIG": f"{folder}/config",
        "DOCKER_SOCKET": ENGINE.removeprefix("unix://"),
        "SALLYPORT_DOMAIN": DOMAIN,
        "SALLYPORT_CLIENT_LIMIT": "1000",
        "SALLYPORT_CERT_RESOLVER": "",
        "TRAEFIK_IMAGE": TRAEFIK_IMAGE,
    }


def try_services():
    until("the controller is healthy", lambda: inspect("controller", "{{.State.Health.Status}}") == "healthy", 60)
    # The admin's key is in the controller's volume, which the operator may read.
    state = mountpoint("state")
    operator = trials.Operator(read(f"{state}/controller/admin.key").strip())
    operator.add_user("alice")
    exit = operator.open("us")
    print(f"exit {exit['id']}: {exit['state']} as {exit['exit_ip']}, on {exit['server']['hostname']}")
    trials.go_out(exit)
    trials.metering(operator)
    trials.quota(operator)
    trials.restart_haproxy(exit, state)
    trials.open_on_demand(operator)
    trials.print_rights()
    trials.check_haproxy_process()
    guard_refuses(*docker("ps", "--filter", "name=^/?sallyport-us-1-", "--format", "{{.Image}} {{.Names}}").split())
    size = int(docker("image", "inspect", "-f", "{{.Size}}", "sallyport-controller:dev"))
    print(f"try-compose: all well; controller image {size / 1e6:.1f} MB")


def main():
    import yaml

    parser = argparse.ArgumentParser(
        prog="python3 -m Tests.Acceptance.compose", description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--compose", default="", metavar="PROGRAM")
    program = parser.parse_args().compose
    folder = tempfile.mkdtemp(prefix="sp-")
    os.makedirs(f"{folder}/config")
    os.chmod(folder, 0o755)
    lab = Lab(f"{folder}/lab", os.environ.get("BUILD", "debug"))
    file = filled(yaml.safe_load(read(f"{ROOT}/containers/compose.yaml")), settings(folder))
    try:
        check_networks()
        import_images(folder)
        configure(folder, lab)
        if program:
            start_by_compose(program, settings(folder), lab.port)
        else:
            start_by_docker(file, lab.port)
        check_own(SUBNETS)
        try_services()
    except SystemExit:
        print_logs()
        raise
    finally:
        remove(file)
        lab.down()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if sys.prefix != environment.FOLDER:
        if not environment.install():
            sys.exit("PyYAML and Traefik are missing")
        os.execv(environment.PYTHON, [environment.PYTHON, "-m", "Tests.Acceptance.compose", *sys.argv[1:]])
    main()
