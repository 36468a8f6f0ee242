"""How long users wait when something dies, and what they notice of planned work: measured on the lab, 20 runs each.

python3 -m Tests.Benchmarks.failover [PIECE ...] [--runs N]     all pieces, or some of: blackhole, standby, dying, lost, series, container, haproxy,
                                                                rotation, crash, takeover
python3 -m Tests.Benchmarks.failover lossy [--minutes N]        whom a saturated tunnel that is slow and loses packets moves in an hour: nobody
python3 -m Tests.Benchmarks.failover engine [--runs N]          dockerd ended, and killed for 20 s: a private engine of containers/engine only
python3 -m Tests.Benchmarks.failover udp [--runs N]             UDP to the servers blocked for a minute by this host's firewall (as root)

Each piece brings a lab, controllers and exits of its own up, on loopback and the engine of DOCKER_HOST, and takes them away. Every run
begins with a store that has never seen the one before: a server that failed in it is as good as any. With BENCH_LOGS=FOLDER the
controllers' logs are left there.
"""
