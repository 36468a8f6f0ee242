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
