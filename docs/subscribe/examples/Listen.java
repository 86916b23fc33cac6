import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Hears every event of a province. Needs Java 17 and org.apache.kafka:kafka-clients; the same environment as listen.py.
 *
 * <p>How far each dossier was heard is kept in memory here: keep it in your database, in the transaction of its effect.
 */
public class Listen {
    public static void main(String[] arguments) throws InterruptedException {
        Map<String, Integer> heard = new HashMap<>();
        Thread main = Thread.currentThread();
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                main.join();
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        }));
        try {
            consumer.subscribe(topics());
            while (true) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    hear(record, heard);
                }
                consumer.commitSync();
            }
        } catch (WakeupException stopped) {
            System.err.println("Stopped in good order.");
        } finally {
            consumer.close();
        }
    }

    static void hear(ConsumerRecord<String, String> record, Map<String, Integer> heard) {
        String dossier = header(record, "ce_source") + " " + header(record, "ce_subject");
        int version = Integer.parseInt(header(record, "ce_aggregateversion"));
        int last = heard.getOrDefault(dossier, 0);
        if (version <= last) {
            return; // it came before
        }
        if (version > last + 1) {
            System.err.println(dossier + ": " + (last + 1) + " is missing before " + version + ": ask for a replay");
        }
        heard.put(dossier, version);
        System.out.println(record.key() + " " + version + " " + header(record, "ce_type") + " " + record.value());
    }

    static String header(ConsumerRecord<String, String> record, String name) {
        return new String(record.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }

    static List<String> topics() {
        List<String> topics = new ArrayList<>(List.of(
            System.getenv().getOrDefault("KAFKA_TOPICS", "dossier.dossiers.v1,payment.payments.v1").split(",")));
        if (System.getenv("KAFKA_REPLAY") != null) {
            topics.add(System.getenv("KAFKA_REPLAY"));
        }
        return topics;
    }

    static Properties settings() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("KAFKA_SERVERS"));
        settings.put("group.id", System.getenv("KAFKA_GROUP"));
        settings.put("auto.offset.reset", "earliest"); // a new group begins at the oldest event
        settings.put("enable.auto.commit", "false");
        settings.put("allow.auto.create.topics", "false");
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        settings.put("security.protocol", "SASL_SSL");
        if (System.getenv("KAFKA_CA") != null) {
            settings.put("ssl.truststore.type", "PEM");
            settings.put("ssl.truststore.location", System.getenv("KAFKA_CA"));
        }
        settings.put("sasl.mechanism", "SCRAM-SHA-512");
        settings.put("sasl.jaas.config", String.format(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";",
            System.getenv("KAFKA_USERNAME"), System.getenv("KAFKA_PASSWORD")));
        return settings;
    }
}
