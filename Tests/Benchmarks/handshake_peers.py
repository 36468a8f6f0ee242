#!/usr/bin/env python3
"""Many WireGuard servers in a network namespace of their own, and one command that is run among them.

handshake-peers COUNT KEYFILE TARGETS COMMAND...: as root. KEYFILE gets the client's private key, TARGETS a line for each target: address,
port, public key. The servers are real ones, wireguard-go, which answers one client at most once in 20 ms: hence a hundred of them
(the kernel's usual limit of inotify instances allows 128), at ports of their own, asked in turn. Every address of 198.18.0.0/16 is the namespace's own.
"""
import os, subprocess, sys, tempfile, time

SERVERS = 100


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout.strip()


def serve(space, folder, number, client):
    key = run("wg", "genkey")
    name = f"hp{number}"
    process = subprocess.Popen(["ip", "netns", "exec", space, "wireguard-go", "-f", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "silent", "GOMAXPROCS": "1"})
    end = time.monotonic() + 10
    while not os.path.exists(f"/run/wireguard/{name}.sock") and not os.path.exists(f"/var/run/wireguard/{name}.sock"):
        if time.monotonic() > end or process.poll() is not None:
            sys.exit(f"handshake-peers: wireguard-go {name} does not start")
        time.sleep(0.005)
    path = f"{folder}/{name}.conf"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(f"[Interface]\nPrivateKey = {key}\nListenPort = {20000 + number}\n[Peer]\nPublicKey = {client}\nAllowedIPs = 10.0.0.2/32\n")
    run("ip", "netns", "exec", space, "wg", "setconf", name, path)
    run("ip", "netns", "exec", space, "ip", "link", "set", name, "up")
    return process, run("wg", "pubkey", input=key)


def main():
    count, key_file, target_file, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    servers = min(count, SERVERS)
    space, processes = f"sp-peers-{os.getpid()}", []
    folder = tempfile.mkdtemp(prefix="sp-peers-")
    run("ip", "netns", "add", space)
    try:
        run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", space, "route", "add", "local", "198.18.0.0/16", "dev", "lo")
        client = run("wg", "genkey")
        with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(client)
        public = run("wg", "pubkey", input=client)
        keys = []
        for number in range(servers):
            process, key = serve(space, folder, number, public)
            processes.append(process)
            keys.append(key)
        with open(target_file, "w") as file:
            for index in range(count):
                number = index % servers
                file.write(f"198.18.{index // 250}.{1 + index % 250} {20000 + number} {keys[number]}\n")
        return subprocess.run(["ip", "netns", "exec", space, *command]).returncode
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        run("ip", "netns", "del", space)
        run("rm", "-rf", folder)


sys.exit(main())
