"""One installation on this machine: who listens where, with which secrets, and the environment that follows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.databases import Place, Role
from deploy.local.names import SERVICES
from deploy.local.places import ROOT
from deploy.local.ports import HOST
from deploy.local.store import Store

if TYPE_CHECKING:
    from deploy.local.secrets import Secrets


SPEAKS = {"mail": "smtp", "clamav": "clamd"}
"""Stand-ins with a protocol of their own: the name of its port, beside that of their pages."""
VIETQR = {"MOTCUA_VIETQR_BANK": "970436", "MOTCUA_VIETQR_ACCOUNT": "0123456789"}
"""A fictional account that the province collects on."""


@dataclass(frozen=True)
class Site:
    ports: Mapping[str, int]
    """By the names of `ports.DEFAULT`."""
    secrets: "Secrets"
    kafka: str
    postgres: str
    """URL of the database administrator."""
    s3: Store
    prefix: str = ""
    """Before the names of databases and roles, where several installations share one server."""

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    def place(self, service: str) -> Place:
        """Where a service keeps its data."""
        return Place(
            self.postgres,
            database=f"{self.prefix}{service}",
            owner=Role(f"{self.prefix}{service}_owner", self.secrets.migration_password(service)),
            app=Role(f"{self.prefix}{service}", self.secrets.database_password(service)),
        )

    def environment(self, service: str) -> dict[str, str]:
        """All that a service is told."""
        return {**self._common(service), **self._data(service), **self._own(service)}

    def _common(self, service: str) -> dict[str, str]:
        return {
            **{f"MOTCUA_{name.upper()}_URL": self.url(name) for name in SERVICES},
            "MOTCUA_CLIENT_SECRET": self.secrets.client_secret(service),
            "MOTCUA_TENANT": "deploy/tenants/an-binh",
        }

    def _data(self, service: str) -> dict[str, str]:
        if not has_database(service):
            return {}
        place = self.place(service)
        return {
            "MOTCUA_DATABASE_URL": place.database_url,
            "MOTCUA_MIGRATION_URL": place.migration_url,
            "MOTCUA_KAFKA": self.kafka,
            "MOTCUA_S3_URL": self.s3.url,
            "MOTCUA_S3_PUBLIC_URL": self.s3.url,
            "MOTCUA_S3_ACCESS_KEY": self.s3.access_key,
            "MOTCUA_S3_SECRET_KEY": self.s3.secret_key,
            "MOTCUA_S3_REGION": self.s3.region,
            "MOTCUA_S3_BUCKET": self.s3.bucket,
        }

    def _own(self, service: str) -> dict[str, str]:
        secrets = self.secrets
        return {
            "identity": {
                "MOTCUA_CLIENTS": json.dumps(secrets.clients),
                "MOTCUA_SUBSCRIBERS": json.dumps(secrets.subscribers),
                "MOTCUA_TOKEN_KEY": str(secrets.token_key),
                "MOTCUA_DIGEST_KEY": secrets.digest_key,
                **self._vneid(),
                "MOTCUA_NATIONAL_PORTAL_ISSUER": self.url("vneid") + "/cong-quoc-gia",
                "MOTCUA_NATIONAL_PORTAL_CLIENT_ID": self.secrets.vneid_client_id,
                "MOTCUA_NATIONAL_PORTAL_CLIENT_SECRET": self.secrets.vneid_client_secret,
            },
            "dossier": {
                "MOTCUA_DIGEST_KEY": secrets.digest_key,
                "MOTCUA_LEADER_P12": str(secrets.leader_p12),
                "MOTCUA_TRUST_ROOTS": str(secrets.trust_root),
                "MOTCUA_SEAL_P12": str(secrets.seal_p12),
                "MOTCUA_P12_PASSWORD": secrets.p12_password,
                "MOTCUA_DATABASES_URL": self.url("databases"),
                "MOTCUA_DATABASES_KEY": secrets.databases_key,
                "MOTCUA_POST_URL": self.url("post") + "/orders",
                "MOTCUA_POST_CUSTOMER": "AN-BINH",
                "MOTCUA_POST_SECRET": secrets.post_secret,
                "MOTCUA_SCANNER_URL": f"tcp://{HOST}:{self.ports['clamd']}",
            },
            "payment": {
                "MOTCUA_VNPAY_URL": self.url("bank") + "/paymentv2/vpcpay.html",
                "MOTCUA_VNPAY_TMN_CODE": secrets.vnpay_tmn_code,
                "MOTCUA_VNPAY_SECRET": secrets.vnpay_secret,
                "MOTCUA_VNPAY_API_URL": self.url("bank") + "/merchant_webapi/api/transaction",
                "MOTCUA_MOMO_URL": self.url("bank"),
                "MOTCUA_NATIONAL_URL": self.url("bank") + "/national",
                "MOTCUA_NATIONAL_ACCOUNT": VIETQR["MOTCUA_VIETQR_ACCOUNT"],
                **self._other_ways_to_pay(),
                "MOTCUA_SEAL_P12": str(secrets.seal_p12),
                "MOTCUA_P12_PASSWORD": secrets.p12_password,
                "MOTCUA_STATEMENT_URLS": json.dumps(
                    {
                        "vnpay": self.url("bank") + "/statements/vnpay.csv",
                        "momo": self.url("bank") + "/statements/momo.csv",
                        "vietqr": self.url("bank") + "/account/statement",
                    }
                ),
                "MOTCUA_STATEMENT_MINUTES": "1",
                "MOTCUA_COLLECTOR": "Ủy ban nhân dân tỉnh An Bình",
                "MOTCUA_COLLECTOR_TAX_CODE": "9900000001-001",
            },
            "notification": {
                "MOTCUA_SMTP_URL": f"smtp://{HOST}:{self.ports['smtp']}",
                "MOTCUA_SMS_URL": self.url("sms") + "/MainService.svc/json/SendMultipleMessage_V4_post_json/",
                "MOTCUA_SMS_KEY": secrets.sms_key,
                "MOTCUA_SMS_SECRET": secrets.sms_secret,
                "MOTCUA_NATIONAL_SYNC_URL": self.url("national_portal"),
                **self._national_sync(),
                "MOTCUA_SEALING_KEYS": f"local:{secrets.sealing_key}",
                "MOTCUA_WEBHOOK_NETWORKS": json.dumps(["127.0.0.0/8", "::1/128"]),
                "MOTCUA_VIETTEL_URL": self.url("sms") + "/bulkapi",
                **self._viettel(),
                "MOTCUA_SMS_RECEIPTS_URL": self.url("notification"),
                "MOTCUA_SMS_RECEIPTS_SECRET": secrets.sms_receipts_secret,
                "MOTCUA_SMS_AT_NIGHT": "true",  # who tries the system late sees texts at once
                "MOTCUA_SMS_WEIGHTS": json.dumps({"esms": 7, "viettel": 3}),
            },
            "tracking": {"MOTCUA_DIGEST_KEY": secrets.digest_key},
            "gateway": {
                "MOTCUA_MOMO_URL": self.url("bank"),
                "MOTCUA_NATIONAL_URL": self.url("bank"),
                "MOTCUA_VNEID_ISSUER": self.url("vneid"),
                "MOTCUA_VNPAY_URL": self.url("bank") + "/paymentv2/vpcpay.html",
                "MOTCUA_S3_PUBLIC_URL": self.s3.url,
            },
        }.get(service, {})

    def _vneid(self) -> dict[str, str]:
        return {
            "MOTCUA_VNEID_ISSUER": self.url("vneid"),
            "MOTCUA_VNEID_CLIENT_ID": self.secrets.vneid_client_id,
            "MOTCUA_VNEID_CLIENT_SECRET": self.secrets.vneid_client_secret,
        }

    def _national_sync(self) -> dict[str, str]:
        return {
            "MOTCUA_NATIONAL_SYNC_CLIENT_ID": "H99",
            "MOTCUA_NATIONAL_SYNC_CLIENT_SECRET": self.secrets.national_sync_secret,
        }

    def _other_ways_to_pay(self) -> dict[str, str]:
        """What MoMo, the national platform and the bank agreed with us."""
        return {
            "MOTCUA_MOMO_PARTNER_CODE": "MOMOANBINH",
            "MOTCUA_MOMO_ACCESS_KEY": self.secrets.momo_access_key,
            "MOTCUA_MOMO_SECRET": self.secrets.momo_secret,
            "MOTCUA_NATIONAL_PARTNER": "ANBINH",
            "MOTCUA_NATIONAL_SECRET": self.secrets.national_secret,
            **VIETQR,
        }

    def _viettel(self) -> dict[str, str]:
        return {
            "MOTCUA_VIETTEL_USER": "smsbrand_anbinh",
            "MOTCUA_VIETTEL_PASSWORD": self.secrets.viettel_password,
            "MOTCUA_VIETTEL_CP_CODE": "ANBINH",
        }

    def standin_environment(self, name: str) -> dict[str, str]:
        """All that a stand-in of the outside world is told."""
        return {
            "vneid": {
                **self._vneid(),
                "MOTCUA_GATEWAY_URL": f"{self.url('gateway')},http://localhost:{self.ports['gateway']}",
                "MOTCUA_TENANT": "deploy/tenants/an-binh",
            },
            "bank": {
                "MOTCUA_VNPAY_TMN_CODE": self.secrets.vnpay_tmn_code,
                "MOTCUA_VNPAY_SECRET": self.secrets.vnpay_secret,
                "MOTCUA_VNPAY_IPN_URL": self.url("payment") + "/api/v1/callbacks/vnpay",
                "MOTCUA_NATIONAL_CONFIRM_URL": self.url("payment") + "/api/v1/callbacks/national",
                **self._other_ways_to_pay(),
            },
            "databases": {
                "MOTCUA_DATABASES_KEY": self.secrets.databases_key,
                "MOTCUA_TENANT": "deploy/tenants/an-binh",
            },
            "post": {
                "MOTCUA_POST_SECRET": self.secrets.post_secret,
                "MOTCUA_POST_CALLBACK_URL": self.url("dossier") + "/api/v1/post-events",
            },
            "national_portal": self._national_sync(),
            "sms": {
                "MOTCUA_SMS_KEY": self.secrets.sms_key,
                "MOTCUA_SMS_SECRET": self.secrets.sms_secret,
                **self._viettel(),
            },
        }.get(name, {})

    def standin_ports(self, name: str) -> tuple[str, ...]:
        """The options that tell a stand-in where to listen."""
        if name in SPEAKS:
            return ("--port", str(self.ports[SPEAKS[name]]), "--http-port", str(self.ports[name]))
        return ("--port", str(self.ports[name]))


def has_database(service: str) -> bool:
    return (ROOT / "services" / service / "migrations").is_dir()
