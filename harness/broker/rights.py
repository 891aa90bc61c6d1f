"""Pure: which rights a run needs on a broker of the user's, all of them on names that begin with its prefix."""

from dataclasses import dataclass

from harness.scenario import Scenario


@dataclass(frozen=True)
class Right:
    """What must be allowed on all resources of a kind under the prefix. Each includes Describe, as Kafka has it."""

    resource: str  # topic, group, transactional-id
    operations: tuple[str, ...]


def rights(scenario: Scenario, *, keep: bool) -> list[Right]:
    """What a run of this scenario needs."""
    # Records are deleted by the right to delete the topic.
    delete = () if keep and not any(fault.delete_records for fault in scenario.faults) else ("Delete",)
    alter = ("Alter",) if any(fault.add_partitions for fault in scenario.faults) else ()
    needed = [
        Right("topic", ("Create", "Write", "Read", *delete, *alter)),
        Right("group", ("Read", *(() if keep else ("Delete",)))),
    ]
    if scenario.producer.transactions:
        needed.append(Right("transactional-id", ("Write",)))
    return needed


def commands(needed: list[Right], *, bootstrap: str, prefix: str, user: str | None) -> str:
    """What their administrator would type, a line each."""
    return "\n".join(
        f"kafka-acls.sh --bootstrap-server {bootstrap} --add --allow-principal User:{user or 'NAME'}"
        f"{''.join(f' --operation {operation}' for operation in right.operations)}"
        f" --{right.resource} {prefix} --resource-pattern-type prefixed"
        for right in needed
    )


def in_words(needed: list[Right], prefix: str) -> list[str]:
    """`Create, Write, Read and Delete on topics harness-*`, a line each."""
    return [
        f"{', '.join(right.operations[:-1])}{' and ' * (len(right.operations) > 1)}{right.operations[-1]} "
        f"on {right.resource.replace('-', ' ')}s {prefix}*"
        for right in needed
    ]
