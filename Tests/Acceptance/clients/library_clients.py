"""A client from PyPI: library_clients requests|requests_by_socks|httpx|websocket ENTRY, with a JSON object that names a way in."""

import json
import socket
import ssl
import sys

from ...Harness.http import PASSWORD
from ...Harness.programs import read, write
from ...Harness.stand import DOMAIN

PLAIN, SECURE = "http://ip.lab.test/ip", "https://ip.lab.test/ip"
ask = socket.getaddrinfo


def names_lead_here(host, *words, **options):
    """The proxies' names are this machine's."""
    return ask("127.0.0.1" if str(host).endswith(DOMAIN) else host, *words, **options)


def requests(entry, proxy="proxy"):
    import requests

    session = requests.Session()
    session.trust_env = False
    session.verify = write(entry["ca"] + ".all", read(entry["ca"]) + read(entry["target_ca"]))
    session.proxies = {"http": entry[proxy], "https": entry[proxy]}
    print(*(session.get(url, timeout=8).text.strip() for url in (PLAIN, SECURE)))


def requests_by_socks(entry):
    requests(entry, "socks")


def httpx(entry):
    import httpx

    proxy = entry["proxy"]
    if proxy.startswith("https"):
        proxy = httpx.Proxy(proxy, ssl_context=ssl.create_default_context(cafile=entry["ca"]))
    with httpx.Client(proxy=proxy, verify=False, http2=True, timeout=8) as client:
        plain, secure = client.get(PLAIN), client.get(SECURE)
        print(plain.text.strip(), secure.text.strip(), secure.http_version)


def websocket(entry):
    import websocket

    login = (entry["user"], PASSWORD)
    options = {"http_proxy_host": entry["host"], "http_proxy_port": entry["port"], "http_proxy_auth": login, "proxy_type": "http"}
    for url in ("ws://www.lab.test/ws", "wss://www.lab.test/ws"):
        connection = websocket.create_connection(url, timeout=8, sslopt={"cert_reqs": ssl.CERT_NONE}, **options)
        connection.send("through")
        print(connection.recv(), end=" ")
        connection.close()


if __name__ == "__main__":
    socket.getaddrinfo = names_lead_here
    clients = {"requests": requests, "requests_by_socks": requests_by_socks, "httpx": httpx, "websocket": websocket}
    clients[sys.argv[1]](json.loads(sys.argv[2]))
