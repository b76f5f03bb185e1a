"""What NetworkPolicies allow, by the rules of networking.k8s.io/v1, for the kinds of peers that deploy/ uses.

The test's node has no CNI plugin that enforces policies, so what a cluster with one would let through is worked out here from
the objects that the API server holds."""


class Endpoint:
    """A pod, or something else that a pod talks with: `labels` None means an address outside of the cluster."""

    def __init__(self, labels, namespace, namespace_labels=None):
        self.labels = labels
        self.namespace = namespace
        self.namespace_labels = namespace_labels or {"kubernetes.io/metadata.name": namespace}


def _selected(selector, labels):
    wanted = selector.get("matchLabels", {})
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    for term in selector.get("matchExpressions", []):
        assert term["operator"] == "In", f"{term['operator']} is not known here"
        if labels.get(term["key"]) not in term["values"]:
            return False
    return True


def _is_peer(peer, namespace, endpoint):
    assert "ipBlock" not in peer, "ipBlock is not known here"
    if endpoint.labels is None:
        return False
    if "namespaceSelector" in peer:
        if not _selected(peer["namespaceSelector"], endpoint.namespace_labels):
            return False
    elif endpoint.namespace != namespace:
        return False
    return _selected(peer.get("podSelector", {}), endpoint.labels)


def _rule_allows(rule, side, namespace, other, port, protocol):
    peers = rule.get(side)
    if peers and not any(_is_peer(peer, namespace, other) for peer in peers):
        return False
    ports = rule.get("ports")
    return not ports or any(p["port"] == port and p.get("protocol", "TCP") == protocol for p in ports)


def _side_allows(policies, direction, own, other, port, protocol):
    """A pod that no policy selects for this direction is open; else some rule must allow it."""
    if own.labels is None:
        return True
    selecting = [p for p in policies if p["metadata"]["namespace"] == own.namespace
                 and direction in p["spec"]["policyTypes"] and _selected(p["spec"]["podSelector"], own.labels)]
    side = "to" if direction == "Egress" else "from"
    rules = [rule for p in selecting for rule in p["spec"].get(direction.lower(), [])]
    return not selecting or any(_rule_allows(rule, side, own.namespace, other, port, protocol) for rule in rules)


def allows(policies, source, target, port, protocol="TCP"):
    return (_side_allows(policies, "Egress", source, target, port, protocol)
            and _side_allows(policies, "Ingress", target, source, port, protocol))
