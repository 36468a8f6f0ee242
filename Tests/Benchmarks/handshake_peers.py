"""Many WireGuard servers in a network namespace of their own, and one command that is run among them.

python3 -m Tests.Benchmarks.handshake_peers COUNT KEYFILE TARGETS COMMAND...

As root. KEYFILE gets the client's private key, TARGETS a line for each target: address, port, public key. The servers are real ones,
wireguard-go, which answers one client at most once in 20 ms: hence a hundred of them (the kernel's usual limit of inotify instances
allows 128), at ports of their own, asked in turn. Every address of 198.18.0.0/16 is the namespace's own.
"""

import os
import shutil
import subprocess
import sys
import tempfile

from ..Harness.programs import run, stop, until

SERVERS = 100
# The address of the tunnel's client.
CLIENT = "10.0.0.2/32"


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


class Namespace:
    """Use as a context."""

    def __enter__(self):
        self.name, self.folder, self.processes = f"sp-peers-{os.getpid()}", tempfile.mkdtemp(prefix="sp-peers-"), []
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        run("ip", "-n", self.name, "route", "add", "local", "198.18.0.0/16", "dev", "lo")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            stop(process)
        run("ip", "netns", "del", self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def inside(self, *words):
        return ["ip", "netns", "exec", self.name, *words]

    def serve(self, number, client):
        """Starts a server for the client of this public key; returns the server's own."""
        key, name = run("wg", "genkey").strip(), f"hp{number}"
        quiet = os.environ | {"WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "silent", "GOMAXPROCS": "1"}
        words = self.inside("wireguard-go", "-f", name)
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet)
        self.processes.append(process)
        sockets = [f"{folder}/wireguard/{name}.sock" for folder in ("/run", "/var/run")]
        until(f"wireguard-go {name} listens", lambda: any(map(os.path.exists, sockets)) or process.poll() is not None, 10)
        path = f"{self.folder}/{name}.conf"
        write_private(
            path, f"[Interface]\nPrivateKey = {key}\nListenPort = {20000 + number}\n[Peer]\nPublicKey = {client}\nAllowedIPs = {CLIENT}\n"
        )
        run(*self.inside("wg", "setconf", name, path))
        run(*self.inside("ip", "link", "set", name, "up"))
        return run("wg", "pubkey", input=key).strip()


def main():
    count, key_file, target_file, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    with Namespace() as space:
        client = run("wg", "genkey").strip()
        write_private(key_file, client)
        public = run("wg", "pubkey", input=client).strip()
        keys = [space.serve(number, public) for number in range(min(count, SERVERS))]
        with open(target_file, "w") as file:
            for index in range(count):
                number = index % len(keys)
                file.write(f"198.18.{index // 250}.{1 + index % 250} {20000 + number} {keys[number]}\n")
        status = subprocess.run(space.inside(*command)).returncode
    sys.exit(status)


if __name__ == "__main__":
    main()
