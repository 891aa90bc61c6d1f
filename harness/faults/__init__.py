"""What is done to a group while it reads: one kind of fault a file, each with a proof that it had an effect."""

from typing import Any

from harness.faults.add_partitions import AddPartitions
from harness.faults.base import Fault
from harness.faults.delete_records import DeleteRecords
from harness.faults.freeze import Freeze
from harness.faults.join import Join
from harness.faults.kill import Kill
from harness.faults.leave import Leave
from harness.faults.network import Network
from harness.faults.rebalance import Rebalance
from harness.faults.schedule import schedule
from harness.faults.subscription import Subscription

__all__ = ["Fault", "faults_of", "schedule"]

KINDS: dict[str, type[Fault]] = {
    "kill": Kill,
    "freeze": Freeze,
    "leave": Leave,
    "join": Join,
    "rebalance": Rebalance,
    "subscription": Subscription,
    "add_partitions": AddPartitions,
    "network": Network,
    "delete_records": DeleteRecords,
}


def faults_of(plans: list[dict[str, Any]]) -> list[Fault]:
    """Faults as they were scheduled, ready to be played."""
    return [KINDS[plan["kind"]](plan) for plan in plans]
