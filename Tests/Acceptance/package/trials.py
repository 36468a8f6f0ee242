"""What is tried with the package."""

import re
import subprocess
import sys
import time

from ...Harness.http import BIG, ECHO
from ...Harness.programs import ROOT, run, until
from .machine import INSTALL, Machine

# Each runs as the user of its name.
UNITS = ("sallyport", "sallyport-gateway", "sallyport-redis", "sallyport-guard")
# Debian's own, which the package's dependencies bring.
FOREIGN = ("haproxy", "redis-server", "docker")
CONFIGURATION = "/etc/sallyport/sallyport.yaml"
MOST_EXPOSED = 2.5
# Bytes of a download that takes half a minute.
HELD = 15_000_000


class Trials:
    def __init__(self, machine: Machine, provider, package, newer):
        self.machine, self.provider, self.package, self.newer = machine, provider, package, newer
        self.password = ""

    # Small parts

    def expect(self, what, is_so):
        if not is_so:
            sys.exit(what)

    def install(self, package, name="sallyport.deb"):
        """What apt says, and how long it took."""
        run("cp", package, f"{self.machine.root}/var/tmp/{name}")
        begin = time.monotonic()
        said = self.machine.run(*INSTALL, f"/var/tmp/{name}")
        return said, time.monotonic() - begin

    @property
    def proxy(self):
        return f"http://alice-country-us:{self.password}@127.0.0.1:8128"

    def beside(self, *words, **options):
        """Starts a program that uses the system's network."""
        return subprocess.Popen(self.machine.in_its_network(*words), stdout=subprocess.PIPE, text=True, **options)

    def serves(self):
        """Does a proxied request leave at one of the lab's servers?"""
        return re.fullmatch(r"198\.18\.[0-9.]+", self.beside("curl", "-s", "-m", "3", "-x", self.proxy, ECHO).communicate()[0].strip())

    def pids(self):
        return {unit: self.machine.main_pid(unit) for unit in UNITS}

    def exits(self):
        return self.machine.run("docker", "ps", "-q", "--filter", "label=io.sallyport.owner=sallyport").split()

    # Trials, in their order

    def first_byte(self):
        machine = self.machine
        said, installed = self.install(self.package)
        self.expect("apt does not say that a configuration is wanted", "not started yet" in said and "providers" in said)
        self.expect("a controller without a configuration runs", not machine.is_active("sallyport"))
        self.expect("apt has removed something", "REMOVED" not in said)
        text, token = self.provider.up()
        begin = time.monotonic()
        machine.write(CONFIGURATION, text, 0o640)
        machine.write("/etc/sallyport/secrets/nordvpn.token", token, 0o600)
        machine.run("mkdir", "-p", "/etc/systemd/system/sallyport.service.d")
        machine.write(
            "/etc/systemd/system/sallyport.service.d/account.conf",
            "[Service]\nLoadCredential=nordvpn:/etc/sallyport/secrets/nordvpn.token\n",
        )
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", "sallyport")
        started = time.monotonic()
        machine.run("sallyport", "up", "us", "--size", "2")
        self.password = re.search(r"shown only now: (\S+)", machine.run("sallyport", "users", "add", "alice"))[1]
        until("a first byte through the proxy", self.serves, 20)
        ended = time.monotonic()
        print(f"first byte: apt {installed:.1f} s, start {started - begin:.1f} s, two exits and the byte {ended - started:.1f} s")
        for unit in FOREIGN:
            self.expect(f"{unit} does not run", machine.is_active(unit))

    def rights(self):
        for unit in UNITS:
            said = self.machine.said("systemd-analyze", "security", "--no-pager", f"{unit}.service")
            level = float(re.search(r"exposure level for \S+: ([0-9.]+)", said)[1])
            pid = self.machine.main_pid(unit)
            status = self.machine.run("cat", f"/proc/{pid}/status")
            user = self.machine.run("getent", "passwd", re.search(r"Uid:\s+(\d+)", status)[1]).split(":")[0]
            capabilities = int(re.search(r"CapBnd:\s+(\w+)", status)[1], 16)
            print(f"{unit}: user {user}, exposure {level}, capabilities {capabilities}")
            self.expect(f"{unit} is too exposed, or has rights", level <= MOST_EXPOSED and capabilities == 0 and user == unit)
        for path, wanted in (
            (CONFIGURATION, "640 root sallyport"),
            ("/etc/sallyport/secrets", "750 root sallyport"),
            ("/var/lib/sallyport", "700 sallyport sallyport"),
            ("/var/lib/sallyport/admin.key", "600 sallyport sallyport"),
            ("/var/lib/sallyport-redis", "700 sallyport-redis sallyport-redis"),
            ("/run/sallyport/engine/docker.sock", "660 sallyport-guard sallyport"),
        ):
            found = self.machine.run("stat", "-c", "%a %U %G", path).strip()
            self.expect(f"{path} is {found}, want {wanted}", found == wanted)

    def without_controller(self):
        self.machine.run("systemctl", "stop", "sallyport")
        self.expect("no proxy without a controller", self.serves())
        self.machine.run("systemctl", "start", "sallyport")
        print("the controller stopped: the proxy serves; started again")

    def reboot(self):
        """The engine comes a while after everything of ours."""
        machine = self.machine
        machine.run("systemctl", "-q", "disable", "docker.service", "docker.socket", "containerd.service")
        self.provider.down()
        begin = time.monotonic()
        machine.reboot()
        for unit in UNITS:
            until(f"{unit} is there after a reboot", lambda unit=unit: machine.is_active(unit), 30, 0.1)
        up = time.monotonic()
        until("the controller waits for the engine", lambda: "engine" in machine.said("sallyport", "status"), 20, 0.2)
        # The lab is on the same engine, and a real provider would be there all the time: the guard finds the engine after it.
        machine.run("systemctl", "stop", "sallyport-guard")
        machine.run("systemctl", "-q", "enable", "--now", "containerd.service", "docker.socket", "docker.service")
        self.provider.up()
        machine.run("systemctl", "start", "sallyport-guard")
        came = time.monotonic()
        until("the proxy serves after the reboot", self.serves, 60)
        waited = time.monotonic() - came
        print(f"reboot: all four units after {up - begin:.1f} s; the engine comes later, and {waited:.1f} s after it the proxy serves")

    def upgrade(self):
        before = self.pids()
        words = [sys.executable, "-m", "Tests.Acceptance.package.load", "8128", "alice-country-us", self.password]
        load = self.beside(*words, stdin=subprocess.PIPE, cwd=ROOT)
        held = self.beside(
            "curl", "-s", "-x", self.proxy, "--limit-rate", "500K", "-r", f"0-{HELD - 1}", "-o", "/dev/null", "-w", "%{size_download}", BIG
        )
        time.sleep(1)
        _, seconds = self.install(self.newer, "newer.deb")
        until("the new controller is ready", lambda: self.machine.is_active("sallyport"), 30, 0.1)
        until("it says what serves", lambda: "2 of 2" in self.machine.run("systemctl", "show", "-p", "StatusText", "sallyport"), 30, 0.1)
        counts = load.communicate("")[0].split()
        got = int(held.communicate()[0])
        after = self.pids()
        stayed = [unit for unit in UNITS if before[unit] == after[unit]]
        print(f"upgrade in {seconds:.1f} s: {counts[1]} of {counts[0]} requests failed; not started anew: {', '.join(stayed)}")
        print(f"a download that was running got {got} of {HELD} bytes")
        self.expect(f"requests failed: {counts}", got == HELD and counts[1] == "0" and int(counts[0]) > 100)
        self.expect(f"{stayed} stayed", stayed == ["sallyport-gateway", "sallyport-redis"])

    def broken_configuration(self):
        machine = self.machine
        before = machine.run("cat", CONFIGURATION)
        pids = self.pids()
        machine.run("sh", "-c", f"echo 'gatway: {{port: 1}}' >>{CONFIGURATION}")
        said = machine.said("apt-get", "-q", "-y", "install", "--no-install-recommends", "--reinstall", "/var/tmp/newer.deb")
        self.expect(f"apt says nothing of the configuration: {said}", "is not restarted" in said and "gatway" in said)
        self.expect("the controller was restarted", self.pids()["sallyport"] == pids["sallyport"] and self.serves())
        with open(f"{machine.root}{CONFIGURATION}", "w") as file:
            file.write(before)
        machine.run("systemctl", "restart", "sallyport")
        print("upgrade with a configuration that is wrong: the controller before goes on, and apt says why")

    def remove(self):
        said = self.machine.said("apt-get", "-q", "-y", "remove", "sallyport")
        self.expect(f"apt does not tell of the exits: {said}", "removed 2 exits" in said)
        left = [unit for unit in UNITS if self.machine.is_active(unit)]
        self.expect(f"{left} run, or exits", not left and not self.exits())
        kept = self.machine.run("ls", "-A", "/var/lib/sallyport").split()
        self.expect("the state is gone", "root.key" in kept and "admin.key" in kept)
        self.install(self.newer, "newer.deb")
        until("installed again, the proxy serves", self.serves, 60)
        print("removed: nothing of ours runs; installed again: the same users and pools serve")

    def purge(self):
        said = self.machine.said("apt-get", "-q", "-y", "purge", "sallyport")
        self.expect(f"apt does not tell of the exits: {said}", "removed 2 exits" in said)
        # The operator's own.
        self.machine.run("rm", "-r", "/etc/systemd/system/sallyport.service.d")
        names = self.machine.run(
            "find", "/etc", "/usr", "/lib", "/var/lib", "/run", "-iname", "*sallyport*", "-not", "-path", "*/containerd/*"
        )
        users = self.machine.run("sh", "-c", "getent passwd; getent group")
        docker = [self.machine.run("docker", *words.split()) for words in ("ps -a", "network ls", "image ls", "volume ls")]
        left = [line for line in (names + users + "".join(docker)).splitlines() if "sallyport" in line and "sallyport-lab" not in line]
        self.expect("left behind:\n" + "\n".join(left), not left)
        for unit in FOREIGN:
            self.expect(f"{unit} does not run", self.machine.is_active(unit))
        print("purged: no file, user, container, network or image is left; " + ", ".join(FOREIGN) + " run")

    def half_installed(self):
        """Unpacked, and not configured: nothing starts, and one command completes it."""
        said = self.machine.said("dpkg", "--unpack", "/var/tmp/sallyport.deb") + self.machine.said("systemctl", "start", "sallyport")
        why = self.machine.said("systemctl", "status", "--no-pager", "sallyport")
        self.expect(f"it started: {said}{why}", not self.machine.is_active("sallyport"))
        said = self.machine.said("dpkg", "--configure", "-a")
        self.expect(f"it is not completed: {said}", "not started yet" in said and self.machine.is_active("sallyport-gateway"))
        self.machine.run("apt-get", "-q", "-y", "purge", "sallyport")
        print("half installed: nothing starts; dpkg --configure -a completes it")
