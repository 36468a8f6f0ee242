"""A fleet that costs nothing: a Docker Engine, a provider's API and the exits' proxies, all simulated in one process on loopback.

python3 -m Tests.Harness.simulated_fleet FOLDER PORT    serves the engine on FOLDER/engine.sock and the provider's API on
                                                        127.0.0.1:PORT until SIGTERM

Containers exist as entries of a list; each one that runs has an address in 127.77.0.0/16 with a proxy that accepts every CONNECT
and answers every other request as an address service would. The real controller, Redis and HAProxy work on it as on a real fleet.
"""

import asyncio
import base64
import functools
import json
import re
import signal
import sys
import urllib.parse

COUNTRIES = "us gb ca de fr nl au jp se ch it es pl be at dk no fi cz ie pt ro br mx ar".split()
SERVERS_PER_COUNTRY = 40
GATEWAY = "127.77.0.1"
# What a container's summary and its network have besides, as Docker says it.
SUMMARY = {
    "ImageID": "sha256:" + "1" * 64,
    "Command": "/exit",
    "Created": 1790000000,
    "Ports": [],
    "Status": "Up 5 minutes (healthy)",
    "Mounts": [
        {
            "Type": "volume",
            "Name": "4" * 64,
            "Source": "",
            "Destination": "/config",
            "Driver": "local",
            "Mode": "",
            "RW": True,
            "Propagation": "",
        }
    ],
}
NETWORK = {
    "IPAMConfig": None,
    "Links": None,
    "Aliases": None,
    "NetworkID": "2" * 64,
    "EndpointID": "3" * 64,
    "Gateway": GATEWAY,
    "IPPrefixLen": 16,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "MacAddress": "02:42:ac:1f:00:02",
    "DriverOpts": None,
}


@functools.cache
def provider_list():
    """NordVPN's /v2/servers in its real shape; every station answers a ping, for it is on loopback."""
    locations, servers = [], []
    for index, code in enumerate(COUNTRIES):
        locations.append(
            {
                "id": index + 1,
                "country": {"id": index + 1, "name": code, "code": code.upper(), "city": {"id": index + 1, "name": f"{code.upper()} City"}},
            }
        )
        for number in range(1, SERVERS_PER_COUNTRY + 1):
            key = base64.b64encode(bytes([index, number] * 16)).decode()
            servers.append(
                {
                    "id": index * 1000 + number,
                    "name": f"{code} #{number}",
                    "hostname": f"{code}{number}.fleet.test",
                    "station": f"127.78.{index}.{number}",
                    "status": "online",
                    "load": number,
                    "location_ids": [index + 1],
                    "group_ids": [11],
                    "technologies": [{"id": 35, "status": "online", "metadata": [{"name": "public_key", "value": key}]}],
                }
            )
    return json.dumps(
        {
            "servers": servers,
            "locations": locations,
            "groups": [{"id": 11, "identifier": "legacy_standard"}],
            "technologies": [{"id": 35, "identifier": "wireguard_udp"}],
        }
    ).encode()


class Engine:
    def __init__(self):
        self.containers, self.networks, self.listeners, self.proxies, self.next = {}, {}, set(), {}, 1

    # What a client sees

    def summary(self, name, container):
        mode = container["HostConfig"]["NetworkMode"]
        return SUMMARY | {
            "Id": container["Id"],
            "Names": ["/" + name],
            "Image": container["Image"],
            "Labels": container["Labels"],
            "State": "running" if container["running"] else "exited" if container.get("killed") else "created",
            "HostConfig": {"NetworkMode": mode},
            "NetworkSettings": {"Networks": {mode: NETWORK | {"IPAddress": container["address"]}}},
        }

    async def answer(self, method, path, query, body, writer):
        """Status and JSON of a call; None where it was answered as a stream."""
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        if parts[0] == "events":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            self.listeners.add(writer)
            return None
        if parts == ["kill"]:
            return await self.kill(query["country"][0])
        if parts == ["containers", "json"]:
            return 200, [self.summary(name, container) for name, container in self.containers.items()]
        if parts == ["containers", "create"]:
            return self.create(query["name"][0], json.loads(body))
        if parts[0] == "containers":
            return await self.of_container(method, *parts[1:])
        if parts[0] == "networks":
            return self.of_network(method, parts[1:], body)
        if parts[0] == "images":
            return 200, {"Id": "sha256:" + "1" * 64}
        return 404, {"message": "not simulated"}

    async def kill(self, country):
        """Not of Docker's, for `soak`: the exit that has run longest in a country dies."""
        running = [each for each in self.containers.values() if each["running"] and each["Labels"]["io.sallyport.exit"].startswith(country)]
        for container in running[:1]:
            container.update(running=False, killed=True)
            await self.end(container)
            self.tell("die")
        return 200, len(running[:1])

    def create(self, name, container):
        if name in self.containers:
            return 409, {"message": "in use"}
        number, self.next = self.next, self.next + 1
        wanted = container["NetworkingConfig"]["EndpointsConfig"][container["HostConfig"]["NetworkMode"]]["IPAMConfig"]["IPv4Address"]
        container.update(Id=f"{number:064x}", running=False, address=wanted)
        self.containers[name] = container
        return 201, {"Id": container["Id"], "Warnings": []}

    async def of_container(self, method, name, what=None, *_):
        container = self.containers.get(name)
        if container is None:
            return 404, {"message": "no such container"}
        if method == "DELETE":
            del self.containers[name]
            await self.end(container)
            self.tell("destroy")
            return 204, None
        if what == "start":
            container["running"] = True
            await self.begin(container)
            self.tell("start")
            return 204, None
        if what in ("archive", "logs"):
            return 200, None
        state = {"Status": "running", "Running": container["running"], "ExitCode": 137 if container.get("killed") else 0, "Pid": 1}
        networks = {container["HostConfig"]["NetworkMode"]: {"IPAddress": container["address"]}}
        return 200, {"Id": container["Id"], "State": state, "NetworkSettings": {"Networks": networks}}

    def of_network(self, method, parts, body):
        if parts == ["create"]:
            specification = json.loads(body)
            self.networks[specification["Name"]] = {
                "Id": "2" * 64,
                "Name": specification["Name"],
                "Labels": specification.get("Labels"),
                "IPAM": {"Config": [{"Subnet": "127.77.0.0/16", "Gateway": GATEWAY}]},
            }
            return 201, {"Id": "2" * 64}
        if not parts:
            return 200, list(self.networks.values())
        if method == "DELETE":
            self.networks.pop(parts[0], None)
            return 204, None
        return (200, self.networks[parts[0]]) if parts[0] in self.networks else (404, {"message": "no such network"})

    def tell(self, action):
        line = json.dumps({"Type": "container", "Action": action}).encode() + b"\n"
        for writer in list(self.listeners):
            try:
                writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            except ConnectionError:
                self.listeners.discard(writer)

    # What runs in a container

    async def begin(self, container):
        country = container["Labels"]["io.sallyport.exit"].split("-")[0].upper()
        address = container["address"]
        # One of the lab's internet: an address of the container's own network is no answer to where it leaves.
        last = address.split(".")[-2:]
        seen = json.dumps({"ip": f"198.18.{last[0]}.{last[1]}", "country": country}).encode()

        async def proxy(reader, writer):
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    if head.startswith(b"CONNECT "):
                        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    else:
                        writer.write(
                            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(seen), seen)
                        )
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
                pass
            finally:
                writer.close()

        container["proxy"] = await asyncio.start_server(proxy, address, 3128, backlog=64)

    async def end(self, container):
        if container.get("proxy"):
            container["proxy"].close()

    # The socket

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split("\r\n", 1)[0].split(" ")
                length = re.search(r"(?i)^content-length: *(\d+)", head, re.M)
                body = await reader.readexactly(int(length.group(1))) if length else b""
                url = urllib.parse.urlsplit(target)
                path = re.sub(r"^/v1\.\d+", "", url.path)
                if path == "/_ping":
                    writer.write(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK")
                    continue
                result = await self.answer(method, path, urllib.parse.parse_qs(url.query), body, writer)
                if result is None:
                    await reader.read()
                    self.listeners.discard(writer)
                    break
                status, value = result
                text = b"" if value is None else json.dumps(value).encode()
                size = b"" if status == 204 else b"Content-Length: %d\r\n" % len(text)
                writer.write(b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\n%s\r\n%s" % (status, size, text))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def provider(reader, writer):
    """The provider's API; and, asked for /json, the address service that this machine asks about itself."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            text = provider_list() if "/v2/servers" in head else b'{"ip":"127.0.0.1","country":"ZZ"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(folder, port):
    engine, done = Engine(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    await asyncio.start_unix_server(engine.serve, f"{folder}/engine.sock", limit=4 << 20)
    await asyncio.start_server(provider, "127.0.0.1", port)
    await done.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
