// Java's HttpClient as it comes: it offers HTTP/2 with every request (Upgrade: h2c), also with a body.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

public class DefaultClient {
    public static void main(String[] arguments) throws Exception {
        String panel = arguments[0];
        HttpClient client = HttpClient.newHttpClient();
        say(client, HttpRequest.newBuilder(URI.create(panel + "/led")).build());
        say(client, json(panel + "/led").POST(BodyPublishers.ofString("{\"level\": 61}")).build());
        say(client, json(panel + "/lights/led").method("PATCH", BodyPublishers.ofString("{\"level\": 62}")).build());
        var unknown = BodyPublishers.fromPublisher(BodyPublishers.ofString("{\"level\": 63}")); // no length: chunks
        say(client, json(panel + "/led").POST(unknown).build());

        CompletableFuture<String> heard = new CompletableFuture<>();
        WebSocket socket = client.newWebSocketBuilder().subprotocols("first", "second")
            .buildAsync(URI.create(panel.replace("http", "ws") + "/echo"), new WebSocket.Listener() {
                public CompletionStage<?> onText(WebSocket from, CharSequence text, boolean last) {
                    heard.complete(text.toString());
                    return null;
                }
            }).get(10, TimeUnit.SECONDS);
        socket.sendText("hello", true);
        System.out.println("echo " + heard.get(10, TimeUnit.SECONDS) + " " + socket.getSubprotocol());
        System.exit(0);
    }

    private static HttpRequest.Builder json(String address) {
        return HttpRequest.newBuilder(URI.create(address)).header("Content-Type", "application/json");
    }

    private static void say(HttpClient client, HttpRequest request) throws Exception {
        HttpResponse<String> answer = client.send(request, BodyHandlers.ofString());
        System.out.println(request.method() + " " + answer.statusCode() + " " + answer.version());
    }
}
