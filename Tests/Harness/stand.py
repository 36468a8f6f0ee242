"""A lab, a controller with every entry of the proxies, a certificate and Traefik: what the real clients work on."""

import os
import re
import subprocess
import sys

from .base_stand import BaseStand
from .controller import Controller
from .environment import FOLDER as PYTHON_FOLDER
from .lab import Lab
from .programs import ROOT, free_port, listens, read, run, until, write

DOMAIN = "proxies.test"


def certificate(folder, name):
    """A certificate for the proxies' names, whose subject is `name`, and its key."""
    file, key = f"{folder}/{name}.crt", f"{folder}/{name}.key"
    words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={name}"]
    run("openssl", "req", "-x509", *words, "-addext", f"subjectAltName=DNS:*.{DOMAIN}", "-keyout", key, "-out", file)
    return file, key


class Stand(BaseStand):
    def __init__(self, name, build, countries, limit=1000):
        super().__init__(build)
        self.name, self.countries, self.limit = name, countries, limit

    def start(self):
        folder = self.folder
        self.tls, self.country_ports, self.trusted_ports = free_port(), free_port(700), free_port(700)
        self.certificate, self.key = certificate(folder, "first")
        for name in ("certificates", "dynamic"):
            os.mkdir(f"{folder}/{name}")
        self.put_certificate(self.certificate, self.key)
        self.lab = Lab(f"{folder}/lab", self.build)
        gateway = (
            f"country_ports: {self.country_ports}, trusted_ports: {self.trusted_ports}, tls_port: {self.tls}, "
            f"tls_certificates: {folder}/certificates, client_limit: {self.limit}"
        )
        traefik = f"traefik: {{directory: {folder}/dynamic, domain: {DOMAIN}, certificate: {folder}/first.crt, key: {folder}/first.key}}\n"
        self.controller = Controller(folder, self.lab.up(), self.build, gateway=gateway, owner=self.name, log="level: info", more=traefik)
        self.controller.start()
        self.api, self.gateway, self.expect = self.controller.api, self.controller.gateway, self.controller.expect
        self.controller.add_user()
        self.exits = {country: self.open(country) for country in self.countries}

    def open(self, country):
        """Opens an exit and returns the address that it goes out with."""
        exit = self.expect(202, "POST", "/api/exits?wait=30", {"country": country})
        if exit["state"] != "serving":
            sys.exit(f"the exit of {country} does not serve: {exit}")
        return exit["exit_ip"]

    def put_certificate(self, file, key):
        path = f"{self.folder}/certificates/proxies.pem"
        write(f"{path}.new", read(file) + read(key))
        os.rename(f"{path}.new", path)

    def traefik(self):
        """The real Traefik with the project's own static file, but for ports and folders. Returns its port."""
        port, self.plain = free_port(), free_port()
        text = read(f"{ROOT}/traefik/traefik.yml")
        changes = {
            '":80"': f'"127.0.0.1:{self.plain}"',
            '":443"': f'"127.0.0.1:{port}"',
            "/etc/traefik/dynamic": f"{self.folder}/dynamic",
            "/var/lib/traefik/acme.json": f"{self.folder}/acme.json",
        }
        for old, new in changes.items():
            assert text.count(old) == 1, f"traefik/traefik.yml has no {old}"
            text = text.replace(old, new)
        write(f"{self.folder}/traefik.yml", text)
        with open(f"{self.folder}/traefik.log", "w") as log:
            words = [f"{PYTHON_FOLDER}/bin/traefik", f"--configFile={self.folder}/traefik.yml"]
            self.traefik_process = subprocess.Popen(words, stdout=log, stderr=log)
        self.processes.append(self.traefik_process)
        until("Traefik listens", lambda: listens(port) or self.traefik_process.poll() is not None)
        if self.traefik_process.poll() is not None:
            sys.exit("Traefik ended: " + read(f"{self.folder}/traefik.log"))
        return port

    def haproxy_worker(self):
        return int(re.search(r"^Pid: (\d+)", self.controller.haproxy("show info"), re.M)[1])
