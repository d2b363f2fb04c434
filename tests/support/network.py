"""NetworkPolicies as Kubernetes reads them: who may open a connection to whom, at which port."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """One end of a connection: a pod with labels in a namespace, or an address outside."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    address: str = "10.244.0.1"


class Network:
    """The policies of one namespace."""

    def __init__(self, policies: Iterable[Object], namespace: str = "valor") -> None:
        self._specs = [policy["spec"] for policy in policies]
        self._namespace = namespace

    def allows(self, source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection may be opened: the source lets it out, and the target lets it in."""
        out = self._lets("Egress", source, target, port, protocol)
        return out and self._lets("Ingress", target, source, port, protocol)

    def _lets(self, direction: str, who: Place, other: Place, port: int, protocol: str) -> bool:
        if who.namespace != self._namespace:
            return True
        mine = [s for s in self._specs if direction in s["policyTypes"] and _selects(s["podSelector"], who.labels)]
        rules = [rule for spec in mine for rule in spec.get(direction.lower(), [])]
        peers = "to" if direction == "Egress" else "from"
        return not mine or any(
            _opens(rule.get("ports"), port, protocol) and self._knows(rule.get(peers), other) for rule in rules
        )

    def _knows(self, peers: list[Object] | None, place: Place) -> bool:
        return not peers or any(self._is(peer, place) for peer in peers)

    def _is(self, peer: Object, place: Place) -> bool:
        if block := peer.get("ipBlock"):
            return _within(block, place.address)
        if not place.namespace:
            return False
        if "namespaceSelector" in peer:
            labels = {"kubernetes.io/metadata.name": place.namespace}
            if not _selects(peer["namespaceSelector"], labels):
                return False
        elif place.namespace != self._namespace:
            return False
        return _selects(peer.get("podSelector", {}), place.labels)


def _opens(ports: list[Object] | None, port: int, protocol: str) -> bool:
    return not ports or any(one["port"] == port and one["protocol"] == protocol for one in ports)


def _within(block: Object, address: str) -> bool:
    where = ipaddress.ip_address(address)
    return where in ipaddress.ip_network(block["cidr"]) and not any(
        where in ipaddress.ip_network(one) for one in block.get("except", [])
    )


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        one["operator"] == "In" and labels.get(one["key"]) in one["values"]
        for one in selector.get("matchExpressions", [])
    )
