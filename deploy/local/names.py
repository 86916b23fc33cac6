"""The processes of the system, by name."""

SERVICES = ("identity", "dossier", "payment", "notification", "tracking", "gateway")
STANDINS = ("vneid", "bank", "sms", "mail", "clamav", "databases", "post", "national_portal")
INFRA = ("postgres", "kafka", "s3")
