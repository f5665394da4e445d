//! The rendered form of every shipped profile stands in `manifests/` and is what the plan says.
//! `UPDATE_GOLDEN=1 cargo test --test manifests` writes them anew.

use gatewright::plan::build::build;
use gatewright::plan::select::{Service, Services};
use gatewright::profile::TargetKind;
use gatewright::profile::load::load;
use gatewright::profile::shipped::shipped;
use gatewright::provider::Provider;
use gatewright::yaml;
use serde_json::Value;
use std::path::Path;

/// A machine with Ollama on its usual port, and the profile's model pulled.
fn services() -> Services {
    Services {
        found: vec![Service {
            provider: Provider::Ollama,
            port: 11434,
            models: vec!["llama3.2:latest".to_string()],
        }],
        mock_port: 18434,
        ..Services::default()
    }
}

#[test]
fn the_rendered_profiles_are_what_the_plan_says() {
    for profile in shipped() {
        for target in TargetKind::ALL {
            let loaded = load(profile.name, std::io::empty()).unwrap();
            let plan = build(&loaded, target, "default", &services()).unwrap();
            let objects: Vec<Value> = plan.objects().cloned().collect();
            let head = format!(
                "# gw plan --profile {} --target {} --yaml, on a machine with Ollama.\n",
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
