"""A fresh Debian 12 in a folder, with systemd as its first process."""

import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

from ...Harness.programs import ROOT, output, read, run, until

CLEAN = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
# What an engine recommends beside (git, criu and others) is left out.
INSTALL = ["apt-get", "-q", "-y", "install", "--no-install-recommends", "docker.io"]
BASE_PACKAGES = "systemd-sysv,dbus,ca-certificates,iproute2,libpam-systemd"


def base(package):
    """The archive of a system in which nothing of ours is, with all in apt's cache that the package asks for. Made once."""
    depends = run("dpkg-deb", "-f", package, "Depends", "Recommends")
    path = f"{ROOT}/.build/deb/system-{hashlib.sha256((depends + BASE_PACKAGES).encode()).hexdigest()[:8]}.tar"
    if not os.path.exists(path):
        print("making a Debian 12 with mmdebstrap (two minutes)", flush=True)
        hooks = [
            f'copy-in "{package}" /root',
            f'chroot "$1" sh -c "{" ".join(INSTALL)} --download-only /root/*.deb && rm /root/*.deb"',
        ]
        words = [f"--customize-hook={hook}" for hook in hooks]
        run(
            "mmdebstrap",
            "-q",
            "--format=tar",
            "--variant=minbase",
            f"--include={BASE_PACKAGES}",
            "--skip=cleanup/apt",
            *words,
            "bookworm",
            f"{path}.new",
        )
        os.rename(f"{path}.new", path)
    return path


class Machine:
    def __init__(self, archive):
        self.folder = tempfile.mkdtemp(prefix="sp-")
        self.root, self.name = f"{self.folder}/root", os.path.basename(self.folder)
        os.mkdir(self.root)
        run("tar", "-xf", archive, "-C", self.root)
        self.process = None

    def start(self):
        boot = [f"{os.path.dirname(__file__)}/boot", self.root, self.name]
        with open(f"{self.folder}/boot.log", "a") as log:
            self.process = subprocess.Popen(boot, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until("systemd is the first process", self.find_first_process, 20)
        until("the system is up", lambda: self.said("systemctl", "is-system-running").strip() in ("running", "degraded"), 90, 0.1)

    def find_first_process(self):
        if self.process.poll() is not None:
            sys.exit("the system did not start: " + read(f"{self.folder}/boot.log")[-2000:])
        try:
            self.pid = read(f"/proc/{self.process.pid}/task/{self.process.pid}/children").strip()
            return read(f"/proc/{self.pid}/comm") == "systemd\n"
        except OSError:
            return False

    def reboot(self):
        self.said("systemctl", "reboot")
        self.process.wait(60)
        self.start()

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        # All of its processes end with the first one, a moment later.
        until("its control groups are empty", lambda: not self.groups_left(), 20, 0.1)
        shutil.rmtree(self.folder, ignore_errors=True)

    def groups_left(self):
        """Removes its control groups; those that are still in use are left."""
        groups = glob.glob(f"/sys/fs/cgroup/{self.name}") + glob.glob(f"/sys/fs/cgroup/*/{self.name}")
        for folder in [folder for group in groups for folder, _, _ in os.walk(group, topdown=False)]:
            try:
                os.rmdir(folder)
            except OSError:
                return True
        return False

    # What runs in it

    def inside(self, *words):
        """The words for a program of the system."""
        return ["nsenter", "-t", self.pid, "-a", *CLEAN, *words]

    def in_its_network(self, *words):
        """The words for a program of this machine, with the network of the system."""
        return ["nsenter", "-t", self.pid, "-n", *words]

    def run(self, *words):
        return run(*self.inside(*words))

    def said(self, *words):
        return output(*self.inside(*words))

    def write(self, path, text, mode=0o644):
        with open(f"{self.root}{path}", "w") as file:
            file.write(text)
        os.chmod(f"{self.root}{path}", mode)

    @property
    def engine(self):
        return f"unix:///proc/{self.pid}/root/run/docker.sock"

    def is_active(self, unit):
        return self.said("systemctl", "is-active", unit).strip() == "active"

    def main_pid(self, unit):
        return int(self.run("systemctl", "show", "-p", "MainPID", "--value", unit))
