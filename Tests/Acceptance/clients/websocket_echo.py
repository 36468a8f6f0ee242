"""A WebSocket server that echoes: websocket_echo ADDRESS PORT."""

import base64
import hashlib
import re
import socket
import sys
import threading


def serve(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    key = re.search(rb"(?i)^sec-websocket-key: *(\S+)", head, re.M)[1]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    connection.sendall(answer + accept + b"\r\n\r\n")
    while len(two := connection.recv(2)) == 2:
        mask, data = connection.recv(4), connection.recv(two[1] & 127)
        if two[0] & 15 == 8:
            return
        text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        connection.sendall(bytes([129, len(text)]) + text)


def main():
    server = socket.create_server((sys.argv[1], int(sys.argv[2])))
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main()
