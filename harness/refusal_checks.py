"""Pure: what does not fit together with a consumer that must not get through (`consumer.refused`)."""

from collections.abc import Iterator

from harness import broker_checks
from harness.scenario_file import KeyPath
from harness.scenario_findings import Finding, Lookup, spec_at

KEY: KeyPath = ("consumer", "refused")
ALONE = ("restarts", "planted", "members", "faults", "group")
"""What makes no sense for one that never gets in."""


def _refused(get: Lookup) -> Iterator[Finding]:
    if get(*KEY) is None:
        return
    if get("security") == "plaintext":
        yield Finding(KEY, "only under mutual TLS is anybody refused; security: mutual_tls", also=(("security",),))
    if get("consumer", "certificate") == "foreign":
        what = "leave `certificate` out; foreign_certificate is one of these cases"
        yield Finding(KEY, what, also=(("consumer", "certificate"),))
    if get("broker", "nodes") not in (None, 1):
        yield Finding(KEY, "one node has the listeners for that; broker.nodes: 1", also=(("broker", "nodes"),))
    if "traps" not in broker_checks.abilities(get):
        what = "only a broker of the harness's own has the listeners for that; use embedded"
        yield Finding(KEY, what, also=(broker_checks.BACKEND,))
    if (get(*KEY) == "right_revoked") != (get("consume") == "while_produced"):
        what = "right_revoked needs `consume: while_produced`, and nothing else here does"
        yield Finding(KEY, f"{what}: what is written once the right is gone must not be read", also=(("consume",),))
    for key in ALONE:
        if get(key):
            yield Finding(KEY, f"not together with {key}: nobody is to get in", also=((key,),))
    spec = spec_at(get, ("client",))
    if spec is not None and spec.client.distribution != spec.library:
        yield Finding(KEY, f"{spec.library} is no client that anybody uses; name a library", also=(("client",),))


CHECKS = (_refused,)
