"""What is done to a group, or its broker, while it reads: one kind of fault a file, each with a proof of its effect."""

from typing import Any

from harness.faults.add_partitions import AddPartitions
from harness.faults.base import Fault
from harness.faults.broker import TakeDown
from harness.faults.broker_moves import MoveCoordinator, MoveLeader
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
    "restart_broker": TakeDown,
    "kill_broker": TakeDown,
    "move_leader": MoveLeader,
    "move_coordinator": MoveCoordinator,
}


def faults_of(plans: list[dict[str, Any]]) -> list[Fault]:
    """Faults as they were scheduled, ready to be played."""
    return [KINDS[plan["kind"]](plan) for plan in plans]
