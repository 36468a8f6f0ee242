"""What the lab's internet has for clients: a Git repository, a WebSocket that echoes, HTTP/2."""

import os
import subprocess

from ...Harness.programs import docker, module, run, write

PORT = 18_791
SITES = f"""location = /ws {{
    proxy_pass http://198.18.0.1:{PORT}; proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
}}
location = /protocol {{ default_type text/plain; return 200 "$server_protocol\\n"; }}
"""


def furnish(stand):
    repository, container = f"{stand.folder}/repository", "sallyport-lab-internet"
    os.mkdir(repository)
    write(f"{repository}/file", "cloned\n")
    git = ["git", "-C", repository, "-c", "user.name=lab", "-c", "user.email=lab@lab.test"]
    for words in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "First"], ["update-server-info"]):
        run(*git, *words)
    docker("cp", f"{repository}/.git", f"{container}:/srv/repository.git")
    docker("exec", container, "chmod", "-R", "a+rX", "/srv/repository.git")
    docker("cp", write(f"{stand.folder}/sites.conf", SITES), f"{container}:/config/sites.conf")
    docker("exec", container, "nginx", "-c", "/etc/nginx.conf", "-s", "reload")
    write(f"{stand.folder}/lab.crt", docker("exec", container, "cat", "/run/lab.crt"))
    stand.processes.append(module("Tests.Acceptance.clients.websocket_echo", "198.18.0.1", str(PORT), stderr=subprocess.DEVNULL))
