"""Hostile clients for the gateway: seeded requests over every entry, and an exit that notes what comes through.

python3 -m Tests.Acceptance.abuse serve
    is an exit's proxy and a row of canaries; prints what it listens on, a JSON line
python3 -m Tests.Acceptance.abuse attack --seed N --count N --gateway PORT [--country PORT] [--tls PORT] [--canary ADDRESS,PORT]...
    prints one JSON line of what it saw and ends with 1 where anything is wrong; the same seed makes the same requests

`serve` tells what it has seen to whoever connects to its port "report". It tries every connection that it is asked for where the address is
one of this machine or a private one, so that a hole in the gateway is one that leads somewhere: the canaries then say so.
"""
