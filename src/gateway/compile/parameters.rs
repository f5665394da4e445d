//! AgentgatewayParameters, as far as they mean something without a Deployment (facts 8).

use std::time::Duration;

use serde_json::Value;

use crate::gateway::config::Logging;
use crate::gateway::object::{World, dig, full_name, namespace, text, text_or};

const GROUP: &str = "agentgateway.dev";
const KIND: &str = "AgentgatewayParameters";

/// How long running answers may go on when a port is closed and nobody has said otherwise
/// (facts 3, CONNECTION_MIN_TERMINATION_DEADLINE).
pub(super) const DRAIN: Duration = Duration::from_secs(10);

/// What a Gateway's parameters ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    pub logging: Logging,
    pub drain: Duration,
    /// How long clients are still let in after that: nothing, where nobody asks for it, for no load
    /// balancer has to learn of the end here.
    pub linger: Duration,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            logging: Logging::default(),
            drain: DRAIN,
            linger: Duration::ZERO,
        }
    }
}

/// The parameters that a Gateway refers to; the error is the message of its condition InvalidParameters (facts 4.1).
pub(super) fn read(world: &World, gateway: &Value) -> Result<Parameters, String> {
    let reference = dig(gateway, &["spec", "infrastructure", "parametersRef"]);
    if reference.is_null() {
        return Ok(Parameters::default());
    }
    let (place, owner) = (namespace(gateway), full_name(gateway));
    let failed = |why: String| {
        format!(
            "failed to get helm values for object gateway.networking.k8s.io/v1, Kind=Gateway {owner}: {why}"
        )
    };
    let (group, kind) = (text(reference, &["group"]), text(reference, &["kind"]));
    if (group, kind) != (GROUP, KIND) {
        return Err(failed(format!(
            "infrastructure.parametersRef on Gateway {owner} references unsupported type: group={group} kind={kind}; use AgentgatewayParameters instead"
        )));
    }
    let name = text(reference, &["name"]);
    let Some(object) = world.get(KIND, place, name) else {
        return Err(failed(format!(
            "AgentgatewayParameters {place}/{name} not found for Gateway {owner}"
        )));
    };
    let logging = dig(object, &["spec", "logging"]);
    let shutdown = |field| dig(object, &["spec", "shutdown", field]).as_u64();
    Ok(Parameters {
        logging: Logging {
            is_json: text(logging, &["format"]) == "json",
            is_silent: !tells_requests(text_or(logging, &["level"], "info")),
        },
        drain: shutdown("max").map_or(DRAIN, Duration::from_secs),
        linger: shutdown("min").map_or(Duration::ZERO, Duration::from_secs),
    })
}

/// Whether a filter in the form of RUST_LOG lets through what is said of requests, at level info.
fn tells_requests(filter: &str) -> bool {
    let mut level = "info";
    let mut own = None;
    for directive in filter.split(',').map(str::trim) {
        match directive.split_once('=') {
            Some(("request", value)) => own = Some(value),
            Some(_) | None if directive.is_empty() || directive.contains('=') => {}
            _ => level = directive,
        }
    }
    let level = own.unwrap_or(level);
    ["info", "debug", "trace"]
        .iter()
        .any(|loud| level.eq_ignore_ascii_case(loud))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_filter_that_lets_info_through_tells_of_requests() {
        let table = [
            ("info", true),
            ("debug", true),
            ("warn", false),
            ("off", false),
            ("warn,request=info", true),
            ("debug,request=off", false),
            ("info,rmcp=warn", true),
            ("error,hyper=debug", false),
        ];
        for (filter, expected) in table {
            assert_eq!(tells_requests(filter), expected, "{filter}");
        }
    }
}
