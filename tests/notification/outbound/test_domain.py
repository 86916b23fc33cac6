"""Whereto webhooks may go."""

from ipaddress import ip_network

import pytest

from services.notification.systems.outbound.domain import Reach, UrlNotAllowed, may_connect, target

AGENCY = "webhook.cong-an.example.vn"
DOMAINS = frozenset({AGENCY, "xn--cng-an-vta.vn", "10.0.0.8", "2130706433", "0x7f.1"})
PUBLIC = Reach()
LOCAL = Reach(networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
AGENCIES_NETWORK = Reach(networks=(ip_network("10.20.0.0/16"), ip_network("fd20::/16")))


@pytest.mark.parametrize(
    ("url", "means"),
    [
        (f"https://{AGENCY}", f"https://{AGENCY}:443/"),
        (f"https://{AGENCY}/", f"https://{AGENCY}:443/"),
        (f"HTTPS://{AGENCY.upper()}/Webhook?a=1&b=%20", f"https://{AGENCY}:443/Webhook?a=1&b=%20"),
        (f"https://{AGENCY}:8443/x", f"https://{AGENCY}:8443/x"),
        (f"https://{AGENCY}?a=1", f"https://{AGENCY}:443/?a=1"),
        ("https://xn--cng-an-vta.vn/", "https://xn--cng-an-vta.vn:443/"),
    ],
)
def test_an_agreed_domain_may_be_sent_to(url: str, means: str) -> None:
    assert target(url, DOMAINS, PUBLIC).url == means


@pytest.mark.parametrize(
    "url",
    [
        "",
        AGENCY,
        f"http://{AGENCY}/",
        f"ftp://{AGENCY}/",
        f"//{AGENCY}/",
        f"https:/{AGENCY}/",
        f"https:\\\\{AGENCY}\\",
        f"https://{AGENCY}./",
        f"https://.{AGENCY}/",
        "https://webhook..example.vn/",
        f"https://user@{AGENCY}/",
        f"https://user:password@{AGENCY}/",
        f"https://{AGENCY}@10.0.0.8/",
        f"https://{AGENCY}#@10.0.0.8/",
        f"https://{AGENCY}\\@10.0.0.8/",
        f"https://{AGENCY}:22/",
        f"https://{AGENCY}:0/",
        f"https://{AGENCY}:99999/",
        f"https://{AGENCY}:443:443/",
        f"https://{AGENCY}:/",
        f"https://{AGENCY}/\r\nHost: inside",
        f"https://{AGENCY}/ x",
        f"https://{AGENCY}/\x00",
        f"https://{AGENCY}/hồ-sơ",
        f"https://{AGENCY}/" + "x" * 2000,
        f" https://{AGENCY}/",
        f"https://evil.{AGENCY}/",
        f"https://{AGENCY}.evil.vn/",
        f"https://x{AGENCY}/",
        "https://webhook/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://10.0.0.8/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.8]/",
        "https://[fd00::1%25eth0]/",
        "https://１２７.0.0.1/",
        "https://công-an.vn/",
        "https://webhook。cong-an。example。vn/",
    ],
)
def test_nothing_else_may(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        target(url, DOMAINS, PUBLIC)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999/x", "http://localhost:80/", "https://[::1]:9999/"])
def test_a_local_run_may_be_told_to_send_to_itself(url: str) -> None:
    assert target(url, frozenset(), LOCAL).url == url
    with pytest.raises(UrlNotAllowed):
        target(url, frozenset(), AGENCIES_NETWORK)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.8/", "http://127.0.0.2:80/", f"http://{AGENCY}/", "http://localhost:0/"]
)
def test_a_local_run_may_send_nowhere_else_for_that(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        target(url, DOMAINS, LOCAL)


PUBLIC_ADDRESSES = [
    "1.1.1.1",
    "113.160.0.1",
    "203.162.4.191",
    "172.32.0.1",
    "100.128.0.1",
    "2405:4800::1",
    "2620:fe::fe",
]
NEVER = [
    "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "fd00:ec2::254",  # noqa: S104
    "100.100.100.200", "168.63.129.16", "192.0.0.192",
]  # fmt: skip
INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",  # noqa: S104
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses_may_be_connected_to(address: str) -> None:
    assert may_connect(address, PUBLIC)


@pytest.mark.parametrize("address", INSIDE)
def test_every_other_address_may_not(address: str) -> None:
    assert not may_connect(address, PUBLIC)


def test_an_address_made_by_nat64_is_what_it_stands_for() -> None:
    assert may_connect("64:ff9b::8.8.8.8", PUBLIC)
    assert not may_connect("64:ff9b::10.0.0.1", PUBLIC)


def test_the_agencies_own_network_is_open_where_the_installation_names_it() -> None:
    assert may_connect("10.20.3.4", AGENCIES_NETWORK)
    assert may_connect("fd20::1", AGENCIES_NETWORK)
    assert not may_connect("10.21.0.1", AGENCIES_NETWORK)


@pytest.mark.parametrize("address", NEVER)
def test_no_setting_opens_what_is_never_a_subscriber(address: str) -> None:
    everything = Reach(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert not may_connect(address, everything)
