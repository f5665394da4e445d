//! The written form as a JSON Schema, for editors. The reader decides; a test asks it at every place
//! which fields it knows, and holds this against it.

mod policy;

use super::test::METHODS;
use super::wire::{API_VERSION, KIND};
use super::{Protocol, TargetKind};
use crate::provider::{Form, Provider};
use serde_json::{Map, Value, json};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The whole schema; the same bytes for the same program.
pub fn schema() -> Value {
    let mut root = object(&[
        ("apiVersion", json!({"const": API_VERSION})),
        ("kind", json!({"const": KIND})),
        ("name", name("Name of the profile")),
        (
            "description",
            text("For whom the profile is, in one sentence"),
        ),
        ("extends", extends()),
        ("target", target()),
        ("release", release()),
        ("gateway", gateway()),
        ("backends", list(backend(), "Who answers")),
        (
            "routes",
            list(
                route(),
                "Paths of the gateway; one for each backend if left out",
            ),
        ),
        (
            "policies",
            list(
                policy::policy(),
                "Rules for the gateway, or for some routes",
            ),
        ),
        (
            "manifests",
            list(text("A file or folder of objects"), "Objects of your own"),
        ),
        ("tests", list(test(), "Proofs of your own")),
    ]);
    root["$schema"] = json!(DRAFT);
    root["title"] = json!("Gatewright profile");
    root["required"] = json!(["apiVersion", "kind", "name"]);
    root
}

fn object(fields: &[(&str, Value)]) -> Value {
    let fields = fields.iter();
    let fields = fields.map(|(name, value)| (name.to_string(), value.clone()));
    json!({
        "type": "object",
        "properties": fields.collect::<Map<_, _>>(),
        "additionalProperties": false,
    })
}

fn about(mut value: Value, description: &str) -> Value {
    value["description"] = json!(description);
    value
}

fn text(description: &str) -> Value {
    json!({"type": "string", "minLength": 1, "description": description})
}

fn flag(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

fn number(least: u32, most: u32, description: &str) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": most, "description": description})
}

fn port(description: &str) -> Value {
    number(1, 65535, description)
}

fn count(description: &str) -> Value {
    number(1, i32::MAX.unsigned_abs(), description)
}

fn name(description: &str) -> Value {
    json!({
        "type": "string",
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "maxLength": 63,
        "description": description,
    })
}

fn path(description: &str) -> Value {
    json!({"type": "string", "pattern": "^/", "description": description})
}

fn time(description: &str) -> Value {
    json!({"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$", "description": description})
}

fn one_of(words: &[&str], description: &str) -> Value {
    json!({"enum": words, "description": description})
}

fn list(items: Value, description: &str) -> Value {
    json!({"type": "array", "items": items, "description": description})
}

fn texts(description: &str) -> Value {
    list(json!({"type": "string"}), description)
}

fn map(values: Value, description: &str) -> Value {
    json!({"type": "object", "additionalProperties": values, "description": description})
}

fn extends() -> Value {
    let base = json!({"type": "string", "minLength": 1});
    json!({
        "anyOf": [base, {"type": "array", "items": base}],
        "description": "Shipped profiles or files that this one begins with; what it says itself wins",
    })
}

fn target() -> Value {
    let kinds = TargetKind::ALL.map(TargetKind::name);
    let target = object(&[
        ("kind", one_of(&kinds, "Where a plan runs")),
        ("cluster", name("Name of the kind cluster")),
        ("nodeImage", text("Image of the kind node")),
        ("context", text("Name of a context of the kubeconfig")),
    ]);
    about(target, "Where the gateway is to run; flags win over it")
}

fn image(description: &str) -> Value {
    let image = object(&[
        ("registry", text("Such as ghcr.io")),
        ("repository", text("Name in the registry")),
        ("tag", text("Version")),
    ]);
    about(image, description)
}

fn release() -> Value {
    let release = object(&[
        (
            "version",
            json!({"type": "string", "pattern": "^v[0-9]+\\.[0-9]+\\.[0-9]+", "description": "Version of the charts, with its v"}),
        ),
        ("namespace", name("Namespace of everything")),
        (
            "kgateway",
            flag("Whether kgateway's own controller is installed beside agentgateway's"),
        ),
        ("charts", text("An oci:// address or a folder")),
        ("controllerImage", image("Where it is not the chart's own")),
        (
            "proxyImage",
            image("Where it is not the controller's default"),
        ),
    ]);
    about(release, "What is installed on a cluster")
}

fn gateway() -> Value {
    let gateway = object(&[
        ("name", name("Name of the Gateway")),
        (
            "port",
            number(1024, 65535, "Port on this machine and of the listener"),
        ),
    ]);
    about(gateway, "The gateway")
}

/// Where a key is; never a key.
fn source() -> Value {
    let mut source = object(&source_fields());
    source["minProperties"] = json!(1);
    source["maxProperties"] = json!(1);
    about(
        source,
        "Where the key is; a key itself stands in no profile",
    )
}

fn source_fields() -> Vec<(&'static str, Value)> {
    super::source::FIELDS
        .iter()
        .map(|field| {
            let value = match *field {
                "command" => json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "A program and its arguments, run without a shell; its output is the key"}),
                "env" => json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "Name of a variable"}),
                "keychain" => text("Name of an entry of the system's keychain"),
                "prompt" => text("What to ask for, on a terminal, unseen"),
                _ => text("Path of a file that is the key; ~/ is the home folder"),
            };
            (*field, value)
        })
        .collect()
}

fn backend() -> Value {
    let providers = Provider::ALL.map(|provider| provider.ways().name);
    let forms = [Form::OpenAi, Form::Anthropic, Form::Gemini].map(Form::name);
    let group =
        json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]});
    let mut backend = object(&[
        ("name", name("Routes call the backend by it")),
        (
            "required",
            flag("Whether `up` fails when it can't be used; true if left out"),
        ),
        (
            "fallback",
            flag("Whether it is used only when no other is there"),
        ),
        (
            "groups",
            list(
                group,
                "Names of other backends; the next group is asked when one is out",
            ),
        ),
        ("mcp", mcp()),
        ("provider", one_of(&providers, "Who answers")),
        ("model", text("Replaces what clients ask for")),
        (
            "models",
            texts("Models that clients choose from; the first is for those who name none"),
        ),
        (
            "aliases",
            map(json!({"type": "string"}), "Other names of models"),
        ),
        ("form", one_of(&forms, "In which form the mock is asked")),
        ("port", port("Port of the service on this machine")),
        (
            "address",
            text("Where the server is, such as http://localhost:1234/v1"),
        ),
        ("endpoint", text("Of Azure OpenAI: NAME.openai.azure.com")),
        ("deployment", text("Of Azure OpenAI")),
        ("apiVersion", text("Of Azure OpenAI")),
        ("project", text("Of Vertex AI")),
        ("region", text("Of Vertex AI and Bedrock")),
        ("key", source()),
        ("accessKey", source()),
        ("secretKey", source()),
        ("sessionToken", source()),
    ]);
    backend["required"] = json!(["name"]);
    backend
}

fn mcp() -> Value {
    let protocols = Protocol::ALL.map(Protocol::name);
    let mut server = object(&[
        (
            "name",
            name("Tools are called by it where there are several servers"),
        ),
        ("address", text("Such as http://localhost:3001/mcp")),
        ("mock", flag("Whether it is the built-in mock")),
        (
            "command",
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "A program that speaks MCP on its standard input and output, and its arguments; run in the home folder by a process of ours, once for each session"}),
        ),
        (
            "env",
            map(
                json!({"anyOf": [{"type": "string"}, source()]}),
                "What the program gets in its environment beside PATH, HOME, proxies and the like: plain values, or where a key is",
            ),
        ),
        (
            "selector",
            map(
                json!({"type": "string", "minLength": 1}),
                "Labels of Services whose port says `appProtocol: kgateway.dev/mcp`",
            ),
        ),
        (
            "namespace",
            name("Of these Services; the gateway's own if left out"),
        ),
        ("protocol", one_of(&protocols, "How it is spoken to")),
        ("key", source()),
    ]);
    server["required"] = json!(["name"]);
    let several = object(&[
        ("targets", list(server.clone(), "MCP servers, seen as one")),
        ("stateless", flag("Whether each request stands for itself")),
    ]);
    json!({"anyOf": [list(server, "MCP servers, seen as one"), several], "description": "MCP servers"})
}

fn route() -> Value {
    let headers = object(&[
        (
            "set",
            map(json!({"type": "string"}), "Headers that are replaced"),
        ),
        (
            "add",
            map(json!({"type": "string"}), "Headers that are added"),
        ),
        ("remove", texts("Headers that are taken away")),
    ]);
    let mut route = object(&[
        ("name", name("Name of the route; the backend's if left out")),
        ("path", path("Path prefix; / and the name if left out")),
        ("backend", text("Name of the backend")),
        ("requestHeaders", about(headers, "Changes to requests")),
        ("timeout", time("How long a request may take, such as 30s")),
    ]);
    route["required"] = json!(["backend"]);
    route
}

fn test() -> Value {
    let expect = object(&[
        (
            "status",
            number(200, 599, "Status of the answer; 200 if left out"),
        ),
        ("contains", text("What the answer must contain")),
        (
            "headers",
            map(json!({"type": "string"}), "Headers of the answer"),
        ),
        (
            "json",
            map(
                json!({}),
                "Values at places of the answer, such as /choices/0/message/role",
            ),
        ),
    ]);
    let mut test = object(&[
        ("name", name("Name of the test")),
        ("route", text("Name of a route")),
        ("method", one_of(&METHODS, "POST if left out")),
        ("path", path("Path under the route")),
        ("body", json!({"description": "What is sent"})),
        ("expect", expect),
    ]);
    test["required"] = json!(["name", "route", "path"]);
    test
}

/// The form in which it lies in the repository and is printed.
pub fn text_of_schema() -> String {
    format!("{:#}\n", schema())
}
