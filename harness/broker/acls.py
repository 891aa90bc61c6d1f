"""Rights of somebody whom a broker's authorizer lets do nothing else: given, and taken away again."""

from typing import Any

from harness.broker.admin import Admin
from harness.errors import HarnessError


def give(admin: Admin, user: str, *, topic: str, group: str) -> None:
    """Let `user` read the topic as a member of the group. Raises HarnessError where it is not to be had."""
    from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

    rights = [
        ACL(f"User:{user}", "*", ACLOperation.READ, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
        for kind, name in ((ResourceType.TOPIC, topic), (ResourceType.GROUP, group))
    ]
    doing = f"letting {user} read {topic}"
    _complete(admin, doing, admin.ask_kafka_python(doing, lambda client: client.create_acls(rights))["failed"])


def take_away(admin: Admin, user: str) -> None:
    """Take all of its rights; when this returns the broker knows of none any more. Raises HarnessError."""
    from kafka.admin import (
        ACLFilter,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ResourcePatternFilter,
        ResourceType,
    )

    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    every = ACLFilter(f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
    doing = f"taking all rights of {user} away"
    admin.ask_kafka_python(doing, lambda client: client.delete_acls([every]))
    # The authorizer itself answers this.
    _complete(admin, doing, admin.ask_kafka_python(doing, lambda client: client.describe_acls(every))[0])


def _complete(admin: Admin, doing: str, left: list[Any]) -> None:
    if left:
        raise HarnessError("broker-refused", f"{doing}: {left}", admin.hint)
