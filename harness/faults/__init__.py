"""What is done to readers, writers and their broker: one kind of fault a file, each with a proof of its effect."""

from typing import TYPE_CHECKING, Any

from harness.faults.add_partitions import AddPartitions
from harness.faults.base import Disturbance, Work
from harness.faults.broker import TakeDown
from harness.faults.broker_moves import MoveCoordinator, MoveLeader
from harness.faults.delete_records import DeleteRecords
from harness.faults.freeze import Freeze
from harness.faults.join import Join
from harness.faults.kill import Kill
from harness.faults.leave import Leave
from harness.faults.network import Network
from harness.faults.rebalance import Rebalance
from harness.faults.schedule import schedule
from harness.faults.subscription import Subscription

if TYPE_CHECKING:
    from harness.group import Group

__all__ = ["Disturbance", "Work", "faults_of", "faults_of_producing", "schedule"]

KINDS: dict[str, type[Disturbance["Group"]]] = {
    "kill": Kill,
    "freeze": Freeze,
    "leave": Leave,
    "join": Join,
    "rebalance": Rebalance,
    "subscription": Subscription,
    "add_partitions": AddPartitions,
    "network": Network,
    "delete_records": DeleteRecords,
    "restart_broker": TakeDown,
    "kill_broker": TakeDown,
    "pause_broker": TakeDown,
    "move_leader": MoveLeader,
    "move_coordinator": MoveCoordinator,
}
KINDS_OF_PRODUCING: dict[str, type[Disturbance[Work]]] = {
    "network": Network,
    "restart_broker": TakeDown,
    "kill_broker": TakeDown,
    "pause_broker": TakeDown,
    "move_leader": MoveLeader,
}


def faults_of(plans: list[dict[str, Any]]) -> list[Disturbance["Group"]]:
    """Those of the consuming stage, as they were scheduled, ready to be played."""
    return [KINDS[plan["kind"]](plan) for plan in plans if plan["during"] == "consume"]


def faults_of_producing(plans: list[dict[str, Any]]) -> list[Disturbance[Work]]:
    """Those of the producing stage."""
    return [KINDS_OF_PRODUCING[plan["kind"]](plan) for plan in plans if plan["during"] == "produce"]
