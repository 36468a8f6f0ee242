"""The lab as the system's VPN provider, on the system's own engine."""

import re

from ...Harness.programs import ROOT, built, output, read, run


class Provider:
    PORT = 8790

    def __init__(self, machine, build):
        self.machine, self.program, self.folder = machine, f"{built(build)}/lab", f"{machine.folder}/lab"

    def words(self, action):
        options = ["--folder", self.folder, "--port", str(self.PORT), "--image-archive", f"{ROOT}/.build/images/lab.tar"]
        return self.machine.in_its_network(self.program, action, "--docker", self.machine.engine, *options)

    def up(self):
        """The configuration of a controller, with the token as a credential of systemd; and the token."""
        text = run(*self.words("up"))
        path = re.search(r"access_token_file: (\S+)", text)[1].strip("'\"")
        return text.replace(path, "credential:nordvpn"), read(path)

    def down(self):
        output(*self.words("down"))
