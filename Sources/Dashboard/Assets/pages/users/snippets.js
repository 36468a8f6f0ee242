/** The lines for each program. A login has `name`, `password`, `host`, `port`, `scheme`, `server`, `url` and `socks`. */

/** What the lines ask for: the check page, which the proxies answer themselves, and one that tells the address over TLS. */
const CHECK = "http://ip.sallyport/";
const TARGET = "https://api.ipify.org";

/** One word of a shell. */
const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
/** A text of Python, JavaScript or Java. */
const quoted = (text) => JSON.stringify(text);

const curl = ({ url, socks }) =>
  [`curl -x ${shell(url)} ${CHECK}`, socks && `curl -x ${shell(socks)} ${TARGET}`].filter(Boolean).join("\n");

const python = ({ url }) => `# pip install requests
import requests

proxy = ${quoted(url)}
answer = requests.get("${TARGET}", proxies={"http": proxy, "https": proxy}, timeout=30)
print(answer.text)`;

const node = ({ server, name, password }) => `// npm install undici
import { fetch, ProxyAgent } from "undici";

const login = Buffer.from(${quoted(`${name}:${password}`)}).toString("base64");
const dispatcher = new ProxyAgent({ uri: ${quoted(server)}, token: \`Basic \${login}\` });
const answer = await fetch("${TARGET}", { dispatcher });
console.log(await answer.text());`;

const java = ({ host, port, name, password }) => `// java -Djdk.http.auth.tunneling.disabledSchemes= Client.java
import java.net.*;
import java.net.http.*;

public class Client {
    public static void main(String[] words) throws Exception {
        var login = new Authenticator() {
            @Override protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(${quoted(name)}, ${quoted(password)}.toCharArray());
            }
        };
        var proxy = ProxySelector.of(new InetSocketAddress(${quoted(host)}, ${port}));
        var client = HttpClient.newBuilder().proxy(proxy).authenticator(login).build();
        var request = HttpRequest.newBuilder(URI.create("${TARGET}")).build();
        System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}`;

const playwright = ({ server, name, password }) => `// npm install playwright
import { chromium } from "playwright";

const browser = await chromium.launch({
  proxy: { server: ${quoted(server)}, username: ${quoted(name)}, password: ${quoted(password)} },
});
const page = await browser.newPage();
await page.goto("${TARGET}");
console.log(await page.textContent("body"));
await browser.close();`;

const environment = ({ url }) => `export http_proxy=${shell(url)}
export https_proxy="$http_proxy" HTTP_PROXY="$http_proxy" HTTPS_PROXY="$http_proxy"
export no_proxy=localhost,127.0.0.1`;

const browser = ({ scheme, host, port, name, password }) => [
  ["Kind", scheme === "https" ? "HTTPS proxy" : "HTTP proxy"],
  ["Host", host],
  ["Port", port],
  ["User name", name],
  ["Password", password],
];

export const CLIENTS = [
  { name: "curl", title: "curl", text: curl, hint: "The first line shows the check page: the exit's address and country." },
  { name: "python", title: "Python", text: python },
  { name: "node", title: "Node", text: node },
  {
    name: "java",
    title: "Java",
    text: java,
    hint: "Without the empty property Java sends no password to a proxy for an https:// address. It can't use an entry with TLS.",
  },
  { name: "playwright", title: "Playwright", text: playwright },
  {
    name: "browser",
    title: "Browser",
    facts: browser,
    hint: "The browser asks for name and password at its first request. Then open http://ip.sallyport/ in it.",
  },
  { name: "environment", title: "Environment", text: environment, hint: "Most command-line programs read these variables." },
];
