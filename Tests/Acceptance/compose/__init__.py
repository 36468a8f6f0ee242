"""Runs what containers/compose.yaml says, image by image, by `docker run`, where Compose may not be there; opens an exit on the lab
through it, and goes out through Traefik, HAProxy and that exit. Then asks the guard for what it must refuse.

python3 -m Tests.Acceptance.compose [--compose PROGRAM]    with PROGRAM (docker-compose, docker compose) that program does it instead

Called by `make try-compose`, which gives it an engine (DOCKER_HOST) and images. The names of volumes and containers begin with
sallyport-compose; the networks are the file's own.
"""
