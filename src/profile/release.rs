//! What is installed, where, and at which gateway it listens.

use super::field::{Field, Fields};
use super::value::{self, filled, name};
use super::{Gateway, Image, Release, Target, TargetKind};

const RELEASE: [&str; 6] = [
    "version",
    "namespace",
    "kgateway",
    "charts",
    "controllerImage",
    "proxyImage",
];
/// Where charts and objects are put where nothing is said.
pub const NAMESPACE: &str = "kgateway-system";
/// The gateway's name and port where nothing is said.
pub const GATEWAY: &str = "ai-gateway";
pub const PORT: u16 = 8080;

const IMAGE: [&str; 3] = ["registry", "repository", "tag"];
/// kind appends `-control-plane` to make a host name, which has 63 characters at most.
const LONGEST_CLUSTER: usize = 49;

/// Where the profile wants to run.
pub fn target(root: &Fields) -> Target {
    let field = root.get("target");
    let Some(fields) = field.and_then(|f| f.fields(&["kind", "cluster", "nodeImage", "context"]))
    else {
        return Target::default();
    };
    let kinds = TargetKind::ALL.map(TargetKind::name);
    let kind = fields.get("kind");
    Target {
        kind: kind.and_then(|f| f.one_of("a kind of target", &kinds, TargetKind::named)),
        cluster: fields.get("cluster").map(|f| name(&f, LONGEST_CLUSTER)),
        node_image: optional(&fields, "nodeImage"),
        context: optional(&fields, "context"),
    }
}

/// What is installed; the charts of v2.2.0 where nothing is said.
pub fn release(root: &Fields) -> Release {
    let mut release = Release {
        version: "v2.2.0".to_string(),
        namespace: NAMESPACE.to_string(),
        kgateway: true,
        charts: "oci://ghcr.io/kgateway-dev/charts".to_string(),
        controller_image: None,
        proxy_image: None,
    };
    let field = root.get("release");
    let Some(fields) = field.and_then(|f| f.fields(&RELEASE)) else {
        return release;
    };
    if let Some(field) = fields.get("version") {
        release.version = value::version(&field).unwrap_or_default();
    }
    if let Some(field) = fields.get("namespace") {
        release.namespace = name(&field, 63);
    }
    if let Some(field) = fields.get("kgateway") {
        release.kgateway = field.boolean().unwrap_or_default();
    }
    if let Some(field) = fields.get("charts") {
        release.charts = value::charts(&field).unwrap_or_default();
    }
    release.controller_image = fields.get("controllerImage").map(|f| image(&f));
    release.proxy_image = fields.get("proxyImage").map(|f| image(&f));
    release
}

fn image(field: &Field) -> Image {
    let Some(fields) = field.fields(&IMAGE) else {
        return Image::default();
    };
    if IMAGE.iter().all(|name| fields.get(name).is_none()) {
        fields.wrong(
            "names no part of an image",
            "one of: registry, repository, tag",
        );
    }
    Image {
        registry: optional(&fields, "registry"),
        repository: optional(&fields, "repository"),
        tag: optional(&fields, "tag"),
    }
}

fn optional(fields: &Fields, name: &str) -> Option<String> {
    let field = fields.get(name)?;
    filled(&field).map(str::to_string)
}

/// The gateway; `ai-gateway` at port 8080 where nothing is said.
pub fn gateway(root: &Fields) -> Gateway {
    let mut gateway = Gateway {
        name: GATEWAY.to_string(),
        port: PORT,
    };
    let field = root.get("gateway");
    let Some(fields) = field.and_then(|f| f.fields(&["name", "port"])) else {
        return gateway;
    };
    if let Some(field) = fields.get("name") {
        gateway.name = value::gateway_name(&field);
    }
    if let Some(field) = fields.get("port") {
        gateway.port = value::gateway_port(&field).unwrap_or_default();
    }
    gateway
}
