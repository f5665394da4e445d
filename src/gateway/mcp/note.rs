//! What the access log says of an MCP request.

use crate::gateway::record::short;

/// The `mcp.*` fields, as far as they are known.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Note {
    pub method: Option<String>,
    pub target: Option<String>,
    /// `tool`, `prompt`, `resource` or `templates`.
    pub kind: Option<&'static str>,
    pub name: Option<String>,
    pub session: Option<String>,
}

impl Note {
    pub fn of(&mut self, kind: &'static str, target: &str, name: &str) {
        self.kind = Some(kind);
        self.target = Some(short(target));
        self.name = Some(short(name));
    }

    /// The fields that are known, in the real proxy's order.
    pub fn fields(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("mcp.method", self.method.as_deref()),
            ("mcp.target", self.target.as_deref()),
            ("mcp.resource.type", self.kind),
            ("mcp.resource.name", self.name.as_deref()),
            ("mcp.session.id", self.session.as_deref()),
        ]
    }
}
