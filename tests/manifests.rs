//! The rendered form of every shipped profile stands in `manifests/` and is what the plan says.
//! `UPDATE_GOLDEN=1 cargo test --test manifests` writes them anew.

use gatewright::gateway::input::{Input, Source, Weight};
use gatewright::plan::build::build;
use gatewright::plan::select::{KeyState, Service, Services};
use gatewright::profile::load::load;
use gatewright::profile::shipped::shipped;
use gatewright::profile::{Profile, TargetKind};
use gatewright::provider::Provider;
use gatewright::yaml;
use serde_json::Value;
use std::path::Path;

/// A machine with Ollama on its usual port and the profile's model pulled, the reference MCP server,
/// and every key.
fn services() -> Services {
    let here = |entries: &[&str], from: &str| KeyState::Here {
        entries: entries.iter().map(ToString::to_string).collect(),
        from: from.to_string(),
        note: None,
    };
    let bearer = |name: &str, from: &str| (name.to_string(), here(&["Authorization"], from));
    let aws = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY";
    let settings = [
        ("AZURE_OPENAI_ENDPOINT", "https://example.openai.azure.com/"),
        ("AZURE_OPENAI_DEPLOYMENT", "gpt-4o-mini"),
        ("GOOGLE_CLOUD_PROJECT", "example"),
    ];
    Services {
        found: vec![Service {
            provider: Provider::Ollama,
            port: 11434,
            models: vec!["llama3.2:latest".to_string()],
        }],
        answering: [3001].into(),
        mock_port: 18434,
        processor_port: 18435,
        settings: settings
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .into(),
        keys: [
            bearer("openai", "OPENAI_API_KEY"),
            bearer("anthropic", "ANTHROPIC_API_KEY"),
            bearer("gemini", "GEMINI_API_KEY"),
            bearer("azure", "AZURE_OPENAI_API_KEY"),
            bearer("vertex", "VERTEX_ACCESS_TOKEN"),
            (
                "bedrock".to_string(),
                here(&["accessKey", "secretKey"], aws),
            ),
        ]
        .into(),
        ..Services::default()
    }
}

/// Every sort of target that the profile may be for: clusters differ only in how the gateway is
/// reached (a test of `plan::build` holds that).
fn targets(profile: &Profile) -> Vec<TargetKind> {
    let all = [TargetKind::Kind, TargetKind::Embedded].into_iter();
    all.filter(|target| profile.target.kind.is_none_or(|kind| kind == *target))
        .collect()
}

#[test]
fn the_rendered_profiles_are_what_the_plan_says() {
    for profile in shipped() {
        let loaded = load(profile.name, std::io::empty()).unwrap();
        for target in targets(&loaded) {
            let plan = build(&loaded, target, "default", &services()).unwrap();
            let objects: Vec<Value> = plan.objects().cloned().collect();
            let head = format!(
                "# gw plan --profile {} --target {} --yaml, on a machine with Ollama, MCP and every key.\n\
                 # What stands in braces is known on the machine alone: `gw up` fills it in.\n",
                profile.name,
                target.name()
            );
            let rendered = head + &yaml::write_all(&objects);
            let name = format!("manifests/{}.{}.yaml", profile.name, target.name());
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&path, &rendered).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                kept, rendered,
                "{name} is not what the plan says: UPDATE_GOLDEN=1 cargo test --test manifests"
            );
        }
    }
}

/// A number where only the proof will tell a port.
fn filled(text: &str) -> String {
    let mut text = text.to_string();
    while let Some(end) = text.find(".port}\"") {
        let start = text[..end].rfind('"').unwrap();
        text.replace_range(start..end + 7, "1");
    }
    text
}

#[test]
fn an_api_server_would_take_every_rendered_profile() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let source = Source {
            origin: path.display().to_string(),
            text: filled(&std::fs::read_to_string(&path).unwrap()),
        };
        let input = Input::read(vec![source], "default");
        assert_eq!(input.lines(Weight::Refused), Vec::<String>::new());
        assert!(!input.objects.is_empty(), "{path:?}");
    }
}
