"""Settings that differ, without those that are the run's own."""

from harness.upgrading.settings import Setting, changed


def test_what_changed_what_came_and_what_went() -> None:
    before = {"acks": 1, "retries": 0, "legacy_iterator": False, "check_crcs": True}
    after = {"acks": "all", "retries": float("inf"), "enable_idempotence": True, "check_crcs": True}
    assert changed(before, after) == [
        Setting("acks", "1", "all"),
        Setting("enable_idempotence", "–", "True"),
        Setting("legacy_iterator", "False", "–"),
        Setting("retries", "0", "inf"),
    ]


def test_a_setting_of_none_is_one() -> None:
    assert changed({}, {"socks5_proxy": None}) == [Setting("socks5_proxy", "–", "None")]
    assert changed({}, {"client_rack": ""}) == [Setting("client_rack", "–", "''")]


def test_what_is_the_runs_own_is_left_out() -> None:
    before = {
        "bootstrap_servers": "localhost:1",
        "client_id": "kafka-python-1",
        "ssl_cafile": "/a",
        "api_version": "(1,)",
    }
    after = {
        "bootstrap_servers": "localhost:2",
        "client_id": "kafka-python-2",
        "ssl_cafile": "/b",
        "api_version": "(2,)",
    }
    assert changed(before, after) == []
    assert changed({"kafka_client": "<Client at 0x7f01>"}, {"kafka_client": "<Client at 0x7f02>"}) == []
