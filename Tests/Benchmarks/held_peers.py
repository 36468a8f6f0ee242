"""Both ends of the connections of `held` and `exit_proxy`.

python3 -m Tests.Benchmarks.held_peers exit ADDRESS                        a proxy on port 3128 that echoes what comes in its tunnels
python3 -m Tests.Benchmarks.held_peers echo ADDRESS                        the same without a proxy's head
python3 -m Tests.Benchmarks.held_peers client COUNT PORT ADDRESS USER [TARGET]
                                                                           so many tunnels from this address; prints how many are open and
                                                                           the seconds, and at each line of its input goes on
"""

import asyncio
import resource
import socket
import sys
import time

from ..Harness.http import authorization


async def serve(reader, writer):
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        await repeat(reader, writer)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        writer.close()


async def repeat(reader, writer):
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def exit(body, address):
    await asyncio.start_server(body, address, 3128, backlog=4096)
    print("ready", flush=True)
    await asyncio.Event().wait()


def open_tunnel(port, address, request):
    connection = socket.socket()
    connection.settimeout(20)
    connection.bind((address, 0))
    connection.connect(("127.0.0.1", port))
    connection.sendall(request)
    if b" 200 " not in connection.recv(4096):
        raise OSError("refused")
    return connection


def is_alive(connection):
    try:
        connection.sendall(b"alive")
        return connection.recv(16) == b"alive"
    except OSError:
        return False


def client(count, port, address, user, target="target.example:80"):
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization(user)}\r\n".encode()
    held, failed, start = [], 0, time.monotonic()
    while len(held) + failed < count and failed <= 20:
        try:
            held.append(open_tunnel(port, address, request))
        except OSError as error:
            failed += 1
            if failed == 1:
                print(f"first failure after {len(held)}: {error}", file=sys.stderr, flush=True)
    print(len(held), time.monotonic() - start, flush=True)
    sys.stdin.readline()
    print(sum(map(is_alive, held)), flush=True)
    sys.stdin.readline()


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    what, *words = sys.argv[1:]
    if what in ("exit", "echo"):
        asyncio.run(exit(serve if what == "exit" else repeat, *words))
    else:
        client(int(words[0]), int(words[1]), *words[2:])


if __name__ == "__main__":
    main()
