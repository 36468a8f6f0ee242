"""Installs the Debian package in a fresh Debian 12 with systemd as its first process, and tries its life: the first byte through a proxy,
the controller's end, a reboot before the engine comes, an upgrade under load, an upgrade with a broken configuration, removal, purge.

python3 -m Tests.Acceptance.package

Called by `make try-deb`, as root, with the package built. The system is made by mmdebstrap once and kept in .build/deb; it runs in namespaces of its own, without
internet access, and its VPN provider is the lab, on its own engine.
"""
