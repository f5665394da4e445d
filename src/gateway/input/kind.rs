//! Which kinds are taken, which mean nothing without a cluster, and which are not known at all.

/// What becomes of an object, by its `apiVersion` and `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Taken,
    /// A list of objects, as `kubectl get -o yaml` writes it.
    List,
    /// It makes a cluster run, and there is none here.
    Nothing,
    /// A cluster would route by it, this gateway does not.
    Unsupported,
    /// A profile of our own, which `gw up` takes.
    Profile,
    /// A kind that the API group does not have.
    Unknown,
}

/// The kinds that are taken, with the versions that the CRDs serve.
const TAKEN: [(&str, &str); 14] = [
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1beta1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("gateway.networking.k8s.io/v1beta1", "HTTPRoute"),
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayBackend"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayPolicy"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayParameters"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Namespace"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"),
];

/// Kinds of Gateway API that this gateway does not route by.
const OTHERS: [&str; 8] = [
    "GRPCRoute",
    "TCPRoute",
    "TLSRoute",
    "UDPRoute",
    "BackendTLSPolicy",
    "XListenerSet",
    "XBackendTrafficPolicy",
    "XMesh",
];

impl Sort {
    pub fn of(version: &str, kind: &str) -> Sort {
        if TAKEN.contains(&(version, kind)) {
            return Sort::Taken;
        }
        let group = version.rsplit_once('/').map_or("", |(group, _)| group);
        match group {
            "" if kind.ends_with("List") => Sort::List,
            "gateway.networking.k8s.io" | "gateway.networking.x-k8s.io"
                if OTHERS.contains(&kind) =>
            {
                Sort::Unsupported
            }
            "gateway.networking.k8s.io" if kind == "GatewayClass" => Sort::Nothing,
            "gateway.networking.k8s.io" | "agentgateway.dev" => Sort::Unknown,
            "gatewright.dev" => Sort::Profile,
            "inference.networking.k8s.io" | "inference.networking.x-k8s.io" => Sort::Unsupported,
            kgateway if kgateway.ends_with("kgateway.dev") => Sort::Unsupported,
            _ => Sort::Nothing,
        }
    }
}

/// The kinds of a group, for a suggestion.
pub(super) fn kinds() -> Vec<&'static str> {
    TAKEN.iter().map(|(_, kind)| *kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_sort() {
        let table = [
            ("gateway.networking.k8s.io/v1", "HTTPRoute", Sort::Taken),
            (
                "gateway.networking.k8s.io/v1alpha2",
                "HTTPRoute",
                Sort::Unknown,
            ),
            (
                "gateway.networking.k8s.io/v1",
                "GRPCRoute",
                Sort::Unsupported,
            ),
            (
                "gateway.networking.k8s.io/v1",
                "GatewayClass",
                Sort::Nothing,
            ),
            (
                "agentgateway.dev/v1alpha1",
                "AgentgatewayBackends",
                Sort::Unknown,
            ),
            (
                "gateway.kgateway.dev/v1alpha1",
                "TrafficPolicy",
                Sort::Unsupported,
            ),
            ("gatewright.dev/v1alpha1", "Profile", Sort::Profile),
            ("apps/v1", "Deployment", Sort::Nothing),
            ("v1", "ServiceAccount", Sort::Nothing),
            ("v1", "List", Sort::List),
            ("v1", "Gateway", Sort::Nothing),
        ];
        for (version, kind, expected) in table {
            assert_eq!(Sort::of(version, kind), expected, "{version} {kind}");
        }
    }
}
