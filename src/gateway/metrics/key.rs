//! What tells one series from another, and how it is written.

use std::fmt;
use std::sync::Arc;

/// Where a request went, as far as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(in crate::gateway) struct Way {
    pub port: u16,
    pub gateway: Option<Arc<str>>,
    pub listener: Option<Arc<str>>,
    pub route: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::gateway) struct RequestKey {
    pub way: Way,
    pub backend: Option<Arc<str>>,
    pub protocol: &'static str,
    pub method: &'static str,
    /// 0 where the client left before there was one.
    pub status: u16,
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::gateway) struct ModelKey {
    pub way: Way,
    pub operation: &'static str,
    pub provider: &'static str,
    pub asked: String,
    pub answered: Option<String>,
}

/// A message of an MCP client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::gateway) struct McpKey {
    pub way: Way,
    pub method: Option<String>,
    pub kind: Option<&'static str>,
    pub server: Option<String>,
    pub name: Option<String>,
}

impl fmt::Display for McpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "method=\"{}\",resource_type=\"{}\",server=\"{}\",resource=\"{}\",{}",
            label(self.method.as_deref()),
            label(self.kind),
            label(self.server.as_deref()),
            label(self.name.as_deref()),
            self.way,
        )
    }
}

/// A label's value: what is not known says so, and nothing ends the quotes.
fn label(value: Option<&str>) -> String {
    match value {
        None | Some("") => "unknown".to_string(),
        Some(value) => value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n"),
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gateway = label(self.gateway.as_deref());
        write!(
            f,
            "bind=\"{}/{gateway}\",gateway=\"{gateway}\",listener=\"{}\",route=\"{}\",route_rule=\"unknown\"",
            self.port,
            label(self.listener.as_deref()),
            label(self.route.as_deref()),
        )
    }
}

impl fmt::Display for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "backend=\"{}\",protocol=\"{}\",method=\"{}\",status=\"{}\",reason=\"{}\",{}",
            label(self.backend.as_deref()),
            self.protocol,
            self.method,
            self.status,
            label(Some(self.reason)),
            self.way,
        )
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "gen_ai_operation_name=\"{}\",gen_ai_system=\"{}\",gen_ai_request_model=\"{}\",gen_ai_response_model=\"{}\",{}",
            self.operation,
            self.provider,
            label(Some(&self.asked)),
            label(self.answered.as_deref()),
            self.way,
        )
    }
}
