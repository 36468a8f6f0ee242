"""Programs, ports, and waiting for what they do."""

import os
import random
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENGINE = os.environ.get("DOCKER_HOST", "")


def built(build):
    """The folder of a build's programs: `debug`, `release`."""
    return f"{ROOT}/.build/{build}"


def run(*words, **options):
    """What a program prints; the whole ends where the program fails."""
    result = subprocess.run(words, capture_output=True, text=True, **options)
    if result.returncode:
        sys.exit(f"{' '.join(words)[:400]}: status {result.returncode}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result.stdout


def output(*words):
    """What a program prints, errors too, whether it succeeds or not."""
    result = subprocess.run(words, capture_output=True, text=True)
    return result.stdout + result.stderr


def docker(*words):
    return run("docker", "-H", ENGINE, *words)


def module(name, *words, python=sys.executable, **options):
    """Starts a module of this package as a program."""
    return subprocess.Popen([python, "-m", name, *words], cwd=ROOT, **options)


def stop(process, number=signal.SIGTERM):
    """Ends a program that may have ended already."""
    if process.poll() is None:
        process.send_signal(number)
    process.wait()


def until(what, body, seconds=30, pause=0.005):
    """Waits until `body` is true, and ends the whole where it does not become so in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if body():
            return
        time.sleep(pause)
    sys.exit(f"did not happen in {seconds} s: {what}")


def free_port(size=1):
    """A port of the loopback address that nobody uses, below those of outgoing connections; or the first of so many."""
    for _ in range(1000):
        port = random.randrange(10_000, 32_000 - size)
        try:
            for number in {port, port + size // 2, port + size - 1}:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue
    sys.exit("no free port")


def listens(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text, mode="w"):
    with open(path, mode) as file:
        file.write(text)
    return path
