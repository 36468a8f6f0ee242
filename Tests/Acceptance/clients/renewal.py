"""A renewed certificate is served, without a reload, while a tunnel that is open goes on."""

import socket
import ssl
import subprocess

from ...Harness.http import authorization, whole_answer
from ...Harness.programs import until
from ...Harness.stand import certificate
from .checks import check


def open_tunnel(stand, entry):
    context = ssl.create_default_context(cafile=stand.certificate)
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", entry.port)), server_hostname=entry.host)
    request = f"CONNECT ip.lab.test:80 HTTP/1.1\r\nHost: ip.lab.test:80\r\n{authorization(entry.user)}\r\n"
    connection.sendall(request.encode())
    assert b" 200 " in connection.recv(4096)
    return connection


def subject_of(entry):
    """The subject of the certificate that is served."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{entry.port}", "-servername", entry.host]
    text = subprocess.run(words, input="", capture_output=True, text=True).stdout
    return next((line.split("=")[-1].strip() for line in text.splitlines() if line.startswith("subject=")), text[:200])


def answer_of(connection):
    """The last word of what comes through an open tunnel."""
    connection.sendall(b"GET /ip HTTP/1.0\r\nHost: ip.lab.test\r\n\r\n")
    return whole_answer(connection).decode().split()[-1]


def check_renewal(stand, entry):
    pid = stand.haproxy_worker()
    with open_tunnel(stand, entry) as tunnel:
        check(f"{entry.name}: the first certificate", "first", lambda: subject_of(entry))
        stand.put_certificate(*certificate(stand.folder, "second"))
        # Each look is a connection that does not authenticate, and a source may have only so many of them in 20 s.
        is_renewed = lambda: until("the new certificate", lambda: subject_of(entry) == "second", 20, pause=0.25)
        check(f"{entry.name}: the renewed certificate is served", None, is_renewed)
        check(f"{entry.name}: no reload", pid, stand.haproxy_worker)
        check(f"{entry.name}: the tunnel that was open goes on", stand.exits["us"], lambda: answer_of(tunnel))
