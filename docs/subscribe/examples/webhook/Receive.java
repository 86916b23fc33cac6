import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A webhook of Một Cửa, received: verified, each event once. Java 17 or later, no library.
 *
 * <pre>MOTCUA_WEBHOOK_KEY=whsec_…  java Receive.java 8080        (or whpk_… for Ed25519)</pre>
 *
 * Put it behind a proxy that speaks TLS on an agreed host. What {@code seen} remembers belongs into your database, in
 * the transaction that keeps the event.
 */
public class Receive {
    static final String KEY = System.getenv("MOTCUA_WEBHOOK_KEY");
    static final Set<String> seen = ConcurrentHashMap.newKeySet();
    /** What comes before the 32 bytes of an Ed25519 public key in its X.509 form (RFC 8410). */
    static final byte[] X509_ED25519 = HexFormat.of().parseHex("302a300506032b6570032100");

    public static void main(String[] arguments) throws IOException {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
        server.createContext("/", Receive::receive);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        System.out.println("listening on " + server.getAddress().getPort());
    }

    static void receive(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            boolean good = verify(body, exchange);
            if (good) take(exchange.getRequestHeaders().getFirst("webhook-id"), body);
            exchange.sendResponseHeaders(good ? 204 : 401, -1);
        }
    }

    /** Whether one of the signatures is good and not older than five minutes. */
    static boolean verify(byte[] body, HttpExchange exchange) {
        var headers = exchange.getRequestHeaders();
        String id = headers.getFirst("webhook-id"), time = headers.getFirst("webhook-timestamp");
        String signatures = headers.getFirst("webhook-signature");
        try {
            if (Math.abs(Instant.now().getEpochSecond() - Long.parseLong(time)) > 300) return false;
            byte[] head = (id + "." + time + ".").getBytes(StandardCharsets.UTF_8);
            for (String signature : signatures.split(" ")) {
                if (isGood(signature, head, body)) return true;
            }
        } catch (GeneralSecurityException | RuntimeException wrong) {
            return false;
        }
        return false;
    }

    static boolean isGood(String signature, byte[] head, byte[] body) throws GeneralSecurityException {
        byte[] value = Base64.getDecoder().decode(signature.substring(signature.indexOf(',') + 1));
        byte[] key = Base64.getDecoder().decode(KEY.substring(KEY.indexOf('_') + 1));
        if (KEY.startsWith("whsec_") && signature.startsWith("v1,")) {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            mac.update(head);
            return MessageDigest.isEqual(mac.doFinal(body), value); // takes the same time wherever they differ
        }
        if (KEY.startsWith("whpk_") && signature.startsWith("v1a,")) {
            Signature ed25519 = Signature.getInstance("Ed25519");
            ed25519.initVerify(publicKey(key));
            ed25519.update(head);
            ed25519.update(body);
            return ed25519.verify(value);
        }
        return false;
    }

    static PublicKey publicKey(byte[] raw) throws GeneralSecurityException {
        byte[] encoded = new byte[X509_ED25519.length + raw.length];
        System.arraycopy(X509_ED25519, 0, encoded, 0, X509_ED25519.length);
        System.arraycopy(raw, 0, encoded, X509_ED25519.length, raw.length);
        return KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded));
    }

    /** Each event once. Keep it now, work on it later: you have 15 seconds. Any JSON library reads the body. */
    static void take(String id, byte[] body) {
        System.out.println((seen.add(id) ? "event: " : "repeated: ") + id + " of " + body.length + " bytes");
    }
}
