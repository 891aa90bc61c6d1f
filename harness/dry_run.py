"""Pure: what a run would do on a broker of the user's, in words; `--dry-run` prints it, and nothing is done."""

from collections.abc import Iterator

from harness.broker.external import External
from harness.broker.rights import in_words, rights
from harness.scenario import Scenario
from harness.volume import in_words as size
from harness.volume import message_bytes, written_bytes


def lines(scenario: Scenario, external: External | None) -> Iterator[str]:
    """One scenario."""
    yield f"{scenario.name}: {scenario.client}, {scenario.api}"
    if external is None or scenario.broker.backend != "external":
        yield "  on a broker of its own, which goes away with the run"
        external = None
    else:
        yield f"  on {external.reach.bootstrap}, {external.reach.in_words()}"
    name = external.name(f"TIME-{scenario.name}-ID") if external else "harness"
    copies = scenario.topic.replication
    on = f"on {copies} nodes each" if copies else "on as many nodes as the broker's default says"
    yield f"  make    the topic {name}, {scenario.partitions} partitions, {on}; the group {name}"
    if any(fault.rebalance or fault.subscription for fault in scenario.faults):
        yield f"  make    the topic {name}-empty, 1 partition"
    rate = scenario.producer.rate
    pace = f"at most {rate:,} a second ({size(rate * message_bytes(scenario))}/s)" if rate else "as fast as it can"
    yield f"  write   {scenario.messages:,} messages, {size(written_bytes(scenario))} before replication, {pace}"
    yield "  read    all of it twice at least: the independent reader, and the client under test"
    if external is not None:
        yield "  keep    all of it (--keep)" if external.keep else "  delete  all of it at the end"
        for line in in_words(rights(scenario, keep=external.keep), external.prefix):
            yield f"  needs   {line}"
