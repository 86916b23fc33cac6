"""Who may do what on Kafka, made from the registry and given to any cluster: `./motcua kafka`."""
