"""What notification may be told beyond what every service is told."""

from pydantic import Field

from kit.settings import Settings as Common


class Settings(Common):
    gateway_url: str = ""
    """The portal as browsers see it, for links; `https://<portal host>` when empty."""
    smtp_url: str = ""
    """`smtp://[user:password@]host:port`, or `smtps://` for TLS from the first byte."""
    mail_from: str = ""
    """Sender of e-mail; `khong-tra-loi@<portal host>` when empty."""
    sms_url: str = ""
    """eSMS's address for sending (JSON)."""
    sms_key: str = ""
    sms_secret: str = Field(default="", repr=False)
    sms_brandname: str = "DVC An Binh"
    """The sender that phones show; registered with every provider."""
    national_sync_url: str = ""
    """Where the National Public Service Portal takes the province's dossiers; without it, nothing is synchronised."""
    national_sync_client_id: str = ""
    """What the province is known by there."""
    national_sync_client_secret: str = Field(default="", repr=False)
    sealing_keys: str = Field(default="", repr=False)
    """What secrets of other systems are sealed with at rest: `name:<64 hex digits>`, the one that seals first; those
    after it still open. Separated by commas."""
    webhook_networks: tuple[str, ...] = ()
    """Networks, as a JSON list of CIDRs, where webhooks may go although they are not public: the agencies' own network;
    loopback in local runs, where plain http is then allowed too."""
    events_kept_days: int = Field(default=400, ge=4)
    """How long public events are kept for other systems: so far back a replay reaches, and so long a subscription may
    be paused without a loss."""
    attempts_kept_days: int = Field(default=30, ge=4)
    """How long requests to other systems, and what was given up, stay listed."""
    webhook_proxy: str = ""
    """An egress proxy for webhooks, `http://host:port`."""
    sms_receipts_url: str = ""
    """This service as SMS providers reach it from outside; without it, nobody reports whether a text arrived."""
    sms_receipts_secret: str = Field(default="", repr=False)
    """Proves that such a report is about a message of ours."""
    sms_at_night: bool = False
    """Ignore the tenant's quiet hours: for whoever tries the system in the evening."""
    viettel_url: str = ""
    """Viettel's BulkSMS service (SOAP). A provider without an address is not used."""
    viettel_user: str = ""
    viettel_password: str = Field(default="", repr=False)
    viettel_cp_code: str = ""
    sms_weights: dict[str, int] = Field(default_factory=dict)
    """Provider (`esms`, `viettel`) → its part of the messages, in proportion to the others; 1 for who is not named. Who
    fails gets less for a while by itself; 0 is for who is asked only when all others failed."""
