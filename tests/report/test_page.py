import copy
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.report import evidence, page, templating, words
from harness.report import facts as reading

from . import runs

VOID = {"meta", "link", "br", "line", "path", "rect", "img", "hr", "input"}
MAY_LOAD = {"src", "srcset", "href", "xlink:href", "action", "formaction", "data", "poster", "background", "ping"}


class Reader(HTMLParser):
    """What a page would load, what it would run, its words, and whether its elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.script = ""
        self.tags: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.style = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in MAY_LOAD:
                self.loads.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        elif self.open and self.open[-1] == "script":
            self.script += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(folder: Path, files: dict[str, dict[str, Any]]) -> Reader:
    path = page.write_page(runs.write(folder, files))
    assert path == folder / "report.html"
    return Reader(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("make", [runs.passed, runs.failed, runs.unknown, runs.hostile, runs.huge, dict])
def test_a_page_loads_nothing_runs_its_own_and_is_small(tmp_path: Path, make: Any) -> None:
    found = read(tmp_path, make())
    assert [target for target in found.loads if not target.startswith("#")] == []
    assert found.handlers == []
    assert found.tags.count("script") == 1
    assert found.script == templating.script("page.js").text
    assert len(found.ids) == len(set(found.ids))
    assert {target.removeprefix("#") for target in found.loads} <= set(found.ids)
    assert not {"iframe", "object", "embed", "link", "base", "form", "img"} & set(found.tags)
    assert "url(" not in found.style
    assert "@import" not in found.style
    assert found.open == []
    assert (tmp_path / "report.html").stat().st_size < page.PAGE_LIMIT_BYTES


@pytest.mark.parametrize(("make", "word"), [(runs.passed, "PASS"), (runs.failed, "FAIL"), (runs.unknown, "UNKNOWN")])
def test_the_verdict_and_why_come_first(tmp_path: Path, make: Any, word: str) -> None:
    files = make()
    text = read(tmp_path, files).text.split("20261123T181200Z-ssl_iter-a1f3", 1)[1]
    assert re.search(rf"^.{{0,60}}\b{word} ssl_iter {re.escape(files['verdict.json']['reasons'][0])}", text)


def test_what_was_run_and_the_numbers(tmp_path: Path) -> None:
    text = read(tmp_path, runs.failed()).text
    for part in (
        "Client kafka-python==2.0.2, iterator, on Python 3.8.20",
        "Producer confluent-kafka==2.16.1, librdkafka 2.16.0, on Python 3.11.9",
        "Broker Apache Kafka 4.3.1, embedded, on Java 25.0.1",
        "Connection mutual TLS",
        "Guarantee claimed at least once",
        "Messages 40,000 × 5,000 B in 4 partitions",
        "Seed 7",
        "sent 40,000 0 nacked, 0 unknown acked 40,000 0 aborted in the log 40,000 read independently "
        "delivered 39,584 39,584 deliveries",
        "committed ahead 416 In the log and never processed",
        "never handed over 416 The commit covered messages that the client had never handed over",
        "harness run scenarios/ssl_iter.yaml --client kafka-python==2.0.2 --seed 7",
    ):
        assert part in text


def test_several_nodes_are_told(tmp_path: Path) -> None:
    files = runs.failed()
    files["run.json"]["broker"] |= {"nodes": 3}
    assert "Broker Apache Kafka 4.3.1, 3 nodes, embedded, on Java 25.0.1" in read(tmp_path, files).text


def test_every_loss_has_its_evidence(tmp_path: Path) -> None:
    found = read(tmp_path, runs.failed())
    assert "committed ahead 1 2,192 – 2,399 208 c3 committed offset 2,400 having been handed nothing" in found.text
    assert "Blame: consumer." in found.text
    assert "6.104 s sent by p1 6.113 s acknowledged at offset 2,192 – in the log at offset 2,192 14.596 s" in found.text
    flags = "committed ahead: 208 in partition 1 from offset 2,192"
    assert found.text.count(flags) == 2, "one in the wide picture, and one in the narrow one"


def test_flags_and_rows_lead_to_the_story(tmp_path: Path) -> None:
    found = read(tmp_path, runs.failed())
    assert found.loads.count("#story-0") == found.loads.count("#story-1") == 3
    assert {"story-0", "story-1"} <= set(found.ids)


def test_a_span_without_a_story_leads_to_its_row(tmp_path: Path) -> None:
    found = read(tmp_path, runs.passed())
    assert found.loads == ["#span-0"] * 2
    assert "span-0" in found.ids


def test_a_time_is_told_to_the_millisecond() -> None:
    assert evidence.since_first_event(2_500_400_000) == "2.500 s"
    assert evidence.since_first_event(None) == ""
    assert evidence.since_first_event(True) == ""


def test_what_is_not_in_the_log_is_named_by_its_sender(tmp_path: Path) -> None:
    files = runs.failed()
    span = {"kind": "publish_loss", "partition": 0, "producer": "p1", "first_seq": 2, "last_seq": 5, "count": 4}
    files["verdict.json"]["spans"] = [span, {"kind": "committed_ahead", "detail": "in_flight", "first_offset": 7}]
    text = read(tmp_path, files).text
    assert "publish loss 0 p1 seq 2 – 5 4" in text
    assert "committed ahead in flight 7 ?" in text


def test_what_a_client_raised_is_shown(tmp_path: Path) -> None:
    files = runs.passed()
    files["run.json"]["clients"][1]["errors"] = [{"where": "poll", "error": "CommitFailedError", "fatal": False}]
    assert "What the client raised: c2: poll: CommitFailedError" in read(tmp_path, files).text


def test_what_was_not_measured_is_said(tmp_path: Path) -> None:
    text = read(tmp_path, runs.unknown()).text
    assert "Delivered not measured CPU not measured Memory at most not measured Wall time 21.8 s" in text
    assert "Errors in this run worker c8 ended by signal 9 (SIGKILL)" in text


def test_a_folder_without_any_file_is_unknown(tmp_path: Path) -> None:
    found = read(tmp_path, {})
    assert found.text.startswith("UNKNOWN – unnamed scenario")
    assert "This run has no verdict; it came as far as “created”." in found.text
    assert "There is no verdict.json in this run." in found.text
    assert "publish loss not judged" in found.text
    assert "PASS" not in found.text


@pytest.mark.parametrize("content", ['{"verdict": "PASS", "sent"', '["PASS"]', '"PASS"', "", "\udcff", "null"])
def test_a_torn_verdict_is_unknown(tmp_path: Path, content: str) -> None:
    runs.write(tmp_path, runs.passed())
    (tmp_path / "verdict.json").write_text(content, encoding="utf-8", errors="surrogateescape")
    found = Reader(page.write_page(tmp_path).read_text(encoding="utf-8"))
    assert "This run has no verdict; it came as far as “judged”." in found.text
    assert "verdict.json cannot be read" in found.text or "verdict.json does not hold an object." in found.text
    assert "PASS" not in found.text


@pytest.mark.parametrize("word", ["pass", "PASSED", None, 1, ["PASS"]])
def test_a_word_that_is_no_verdict_is_unknown(tmp_path: Path, word: Any) -> None:
    files = runs.passed()
    files["verdict.json"]["verdict"] = word
    runs.write(tmp_path, files)
    assert reading.read(tmp_path).word == "UNKNOWN"


@pytest.mark.parametrize("value", [None, "text", 7, [], {}, [None], [7, "x"], {"a": None}])
@pytest.mark.parametrize("name", ["run.json", "verdict.json", "metrics.json"])
def test_every_key_may_be_missing_or_wrong(tmp_path: Path, name: str, value: Any) -> None:
    files = runs.failed()
    for key in list(files[name]):
        changed = copy.deepcopy(files)
        changed[name][key] = value
        runs.write(tmp_path, changed)
        page.render(reading.read(tmp_path))
        del changed[name][key]
        runs.write(tmp_path, changed)
        page.render(reading.read(tmp_path))


def test_rows_may_lack_every_key(tmp_path: Path) -> None:
    files = runs.failed()
    for name, key in (
        ("verdict.json", "spans"), ("verdict.json", "examples"), ("verdict.json", "partitions"),
        ("verdict.json", "ownerships"), ("metrics.json", "stages"), ("metrics.json", "marks"), ("run.json", "clients"),
        ("run.json", "marks"),
    ):  # fmt: skip
        files[name][key] = [{}]
    text = read(tmp_path, files).text
    assert "Ownership of partitions: not recorded." in text


@pytest.mark.parametrize("value", [None, "text", 7, -1, 1e300, [7], {"a": 1}, True])
def test_every_key_of_a_row_may_be_wrong(tmp_path: Path, value: Any) -> None:
    files = runs.failed()
    for content, key in (
        (files["verdict.json"], "spans"), (files["verdict.json"], "examples"), (files["verdict.json"], "partitions"),
        (files["verdict.json"], "ownerships"), (files["metrics.json"], "stages"), (files["metrics.json"], "marks"),
        (files["run.json"], "clients"), (files["run.json"], "marks"),
    ):  # fmt: skip
        for name in list(content[key][0]):
            kept = content[key][0][name]
            content[key][0][name] = value
            runs.write(tmp_path, files)
            page.render(reading.read(tmp_path))
            content[key][0][name] = kept


def test_what_is_not_a_list_of_objects_is_named(tmp_path: Path) -> None:
    files = runs.passed()
    files["verdict.json"]["spans"] = ["lost"]
    assert "“spans” holds something that is not a list of objects; it is not shown." in read(tmp_path, files).text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    found = read(tmp_path, runs.hostile())
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert source.count("<script>") == 1, "our own"
    assert '<script>alert("x")</script>' in found.text
    assert not reading.UNPRINTABLE.search(source)
    assert "\\x1b[2J" in found.text


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    files = runs.passed()
    secrets = {"sasl_plain_password": "hunter2", "ssl.key.password": "hunter3"}
    files["run.json"]["clients"][0]["settings"].update(secrets)
    text = read(tmp_path, files).text
    assert "sasl_plain_password hidden client" in text
    assert "hunter" not in text


def test_a_huge_run_says_what_was_left_out(tmp_path: Path) -> None:
    text = read(tmp_path, runs.huge()).text
    assert re.search(r"[\d,]+ more spans are left out here", text)
    assert re.search(r"[\d,]+ more examples are in the run’s files and left out here", text)
    assert re.search(r"[\d,]+ more partitions are in the run’s files and left out here", text)
    assert re.search(r"[\d,]+ more clients are in the run’s files and left out here", text)
    assert "characters left out)" in text


def test_settings_tell_what_the_scenario_gave(tmp_path: Path) -> None:
    files = runs.passed()
    files["run.json"]["clients"] = [files["run.json"]["clients"][0]]
    files["run.json"]["clients"][0]["given"]["session_timeout_ms"] = 6_000
    files["run.json"]["clients"][0]["given"]["fetch_min_bytes"] = 1
    text = read(tmp_path, files).text
    assert "auto_offset_reset earliest scenario" in text
    assert "session_timeout_ms 10000 scenario, which gave 6000" in text
    assert "fetch_min_bytes 1 scenario" in text
    assert "check_crcs true client" in text


def test_restarted_workers_share_one_table_of_settings(tmp_path: Path) -> None:
    text = read(tmp_path, runs.passed()).text
    assert "consumer c1 … c11 (11)" in text
    assert text.count("auto_offset_reset earliest") == 1


def test_every_word_of_a_verdict_is_explained() -> None:
    assert tuple(words.FATES) == runs.FATES
    assert tuple(words.ANOMALIES) == runs.ANOMALIES
    for kind in (*words.FATES, *words.ANOMALIES, *words.COMMITTED_AHEAD_OF):
        assert words.meaning(kind).endswith(".")
    assert words.meaning("never heard of") == ""


def test_words_are_those_of_the_judge() -> None:
    findings = pytest.importorskip("harness.verify.findings")
    assert tuple(words.FATES) == findings.FATES
    assert tuple(words.ANOMALIES) == findings.ANOMALIES


def test_rebalances_have_a_table_and_runs_without_them_none(tmp_path: Path) -> None:
    files = runs.passed()
    assert "Rebalances" not in read(tmp_path, files).text
    row = {
        "t_s": 3.5,
        "duration_s": 2.25,
        "changed_owner": [1, 3],
        "needed": 1,
        "stopped_s": {"a": 1.5, "b": 2},
        "first_message_s": {"a": None, "b": 0.75},
        "overlap_ms": {"0": 20, "1": 4.5},
        "legal_redelivery": 48,
        "excess_redelivery": 0,
        "partitions": {"a": 3, "b": 1},
    }
    files["metrics.json"]["group"] = {"rebalances": [row], "messages": {"a": 1200, "b": 3}}
    shown = read(tmp_path, files)
    assert "partitions then 3.50 2.25 a 1.50, b 2.00 a never, b 0.75 2 1 20.0 48 0 a 3, b 1" in shown.text
    assert "Messages handed to each process: a 1,200, b 3." in shown.text
    assert not shown.open


def test_faults_have_a_table_with_their_effects_and_runs_without_them_none(tmp_path: Path) -> None:
    files = runs.passed()
    assert "What was done on purpose" not in read(tmp_path, files).text
    bit = {"t_s": 1.5, "until_s": 3.5, "fault": "network blackhole", "effect": "5 bytes <never> came", "why": None}
    files["metrics.json"]["faults"] = [bit, bit | {"effect": None, "why": "all was read", "until_s": None}]
    files["run.json"]["broker"]["proxied"] = True
    shown = read(tmp_path, files)
    assert "1.50 3.50 network blackhole 5 bytes <never> came 1.50 – network blackhole none: all was read" in shown.text
    assert ", behind a proxy" in shown.text
    assert not shown.open


def test_what_a_kill_would_have_cost_is_told_where_it_was_measured(tmp_path: Path) -> None:
    files = runs.passed()
    assert "A kill at the worst moment" not in read(tmp_path, files).text
    window = {"would_be_lost": {"max": 100, "p99": 90}, "would_be_repeated": {"max": 50, "p99": 40}}
    files["metrics.json"]["commit_window"] = window
    told = "A kill at the worst moment 100 lost, 50 repeated; in 99 % of the time at most 90 and 40"
    assert told in read(tmp_path, files).text


def test_of_many_members_the_first_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    files = runs.passed()
    row = {"t_s": 1.0, "duration_s": 0.5, "partitions": {f"c{number}": 20 for number in range(50)}}
    files["metrics.json"]["group"] = {"rebalances": [row], "messages": {}}
    assert "c4 20, c5 20 and 44 more" in read(tmp_path, files).text


def test_latency_and_the_ceiling_are_told_where_they_were_measured(tmp_path: Path) -> None:
    files = runs.passed()
    assert "ceiling" not in read(tmp_path, files).text
    latency = {"count": 3, "p50_ms": 2.5, "p99_ms": None, "max_ms": 40.0, "histogram": [[2.5, 2], [40.0, 1], ["x", 1]]}
    files["metrics.json"] |= {"latency": latency, "ceiling": {"throughput_msgs_per_s": 2e6, "cpu_s_per_million": 0.4}}
    text = read(tmp_path, files).text
    assert "of the messages 50 % all within, ms 2.50 40.0" in text
    assert "2,000,000 messages/s, 0.40 CPU s per million messages" in text
    assert "2 messages" in text


def test_what_the_scenario_says_beyond_the_defaults_is_told(tmp_path: Path) -> None:
    files = runs.passed()
    files["run.json"]["scenario_settings"]["messages"] = 123_456
    text = read(tmp_path, files).text.split("What the scenario says beyond the defaults")[1]
    assert "messages 123456" in text
    assert "security mutual_tls" not in text.split("The scenario as it was run")[0]
