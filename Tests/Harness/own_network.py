"""A network that never changes, for a browser: Chromium drops all that it loads when an interface of its network comes or goes, and
on the engine's network one does with each exit."""

import contextlib
import ctypes
import os
import queue
import socket
import subprocess
import threading

from .programs import run, write

CLONE_NEWNET = 0x40000000


class OwnNetwork:
    """Has its own loopback, on which chosen ports lead to the same ports of this machine's. Root alone can make one."""

    def __init__(self, folder):
        self.folder, self.asked = folder, queue.Queue()
        # A network namespace belongs to a thread, and lives as long as it.
        threading.Thread(target=self.live, daemon=True).start()
        self.namespace = self.inside(lambda: f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net")
        self.inside(self.enter)

    def live(self):
        while True:
            body, answers = self.asked.get()
            try:
                answers.put((body(), None))
            except BaseException as error:
                answers.put((None, error))

    def inside(self, body):
        """What `body` returns, called in this network."""
        answers = queue.Queue()
        self.asked.put((body, answers))
        value, error = answers.get()
        if error:
            raise error
        return value

    @staticmethod
    def enter():
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "a network of its own can't be made")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    def lead(self, port):
        """Connections to this port of the network's loopback go to the same port of this machine's."""
        serve(self.inside(lambda: socket.create_server(("127.0.0.1", port), backlog=128)), port)

    def program(self, path):
        """A program that runs this one in the network, with the same words."""
        own = write(f"{self.folder}/{os.path.basename(path)}", f'#!/bin/sh\nexec nsenter --net={self.namespace} {path} "$@"\n')
        os.chmod(own, 0o755)
        return own


class Link:
    """Joins a network to this machine's, whose end has an address on which chosen ports lead to the loopback's. Use as a context."""

    NEAR, FAR = "192.0.2.1", "192.0.2.2"
    HERE, THERE = "sp-near", "sp-far"

    def __init__(self, network):
        self.network, self.listener = network, None

    def __enter__(self):
        # From inside: the kernel knows this network by the thread that asks.
        self.inside("link", "add", self.THERE, "type", "veth", "peer", "name", self.HERE, "netns", str(os.getpid()))
        run("ip", "address", "add", f"{self.NEAR}/30", "dev", self.HERE)
        run("ip", "link", "set", self.HERE, "up")
        self.inside("address", "add", f"{self.FAR}/30", "dev", self.THERE)
        self.up()
        return self

    def __exit__(self, *_):
        if self.listener:
            # A thread that waits for a connection would keep it open.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        run("ip", "link", "delete", self.HERE)

    def lead(self, port):
        self.listener = socket.create_server((self.NEAR, port), backlog=128)
        serve(self.listener, port)

    def up(self):
        self.inside("link", "set", self.THERE, "up")

    def down(self):
        self.inside("link", "set", self.THERE, "down")

    @contextlib.contextmanager
    def dropping(self):
        """What comes over the link is dropped meanwhile; no interface changes."""
        rule = ("INPUT", "-i", self.THERE, "-j", "DROP")
        self.network.inside(lambda: run("iptables", "-A", *rule))
        try:
            yield
        finally:
            self.network.inside(lambda: run("iptables", "-D", *rule))

    def inside(self, *words):
        self.network.inside(lambda: run("ip", *words))


def serve(listener, port):
    threading.Thread(target=accept, args=(listener, port), daemon=True).start()


def accept(listener, port):
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=relay, args=(near, port), daemon=True).start()


def relay(near, port):
    """Both ways, until either side ends. Where nobody listens, the caller's connection is reset."""
    try:
        far = socket.create_connection(("127.0.0.1", port))
    except OSError:
        near.close()
        return
    threading.Thread(target=copy, args=(far, near), daemon=True).start()
    copy(near, far)


def copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
