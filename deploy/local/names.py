"""The processes of the system, by name."""

SERVICES = ("identity", "dossier", "payment", "notification", "tracking", "gateway")
STANDINS = ("vneid", "bank", "sms", "mail")
INFRA = ("postgres", "kafka", "s3")
