use super::document::document;
use super::offer::{Offer, judged, of_keys, of_services, without_key};
use super::{Answers, Known, Proposal, choices, propose};
use crate::error::Error;
use crate::host::facts::{Container, Facts, Key, Model, Port, Service};
use crate::plan::build::default_cluster;
use crate::plan::select::{KeyState, Services};
use crate::profile::wire;
use crate::target::choose::Asked;
use crate::target::place::{DEFAULT_CLUSTER, Place};
use std::collections::BTreeMap;

/// Name, size, and whether it only embeds.
type Told<'a> = (&'a str, u64, bool);

fn ollama(models: &[Told]) -> Service {
    let model = |(name, size, embeds): &Told| Model {
        name: (*name).to_string(),
        size: Some(*size),
        embeds: *embeds,
        ..Model::default()
    };
    Service {
        product: "Ollama".into(),
        address: "127.0.0.1:11434".into(),
        version: None,
        models: models.iter().map(model).collect(),
    }
}

fn key(provider: &str, name: &str, source: &str) -> Key {
    Key {
        provider: provider.into(),
        name: name.into(),
        source: source.into(),
    }
}

fn known(offers: Vec<Offer>) -> Known {
    let port = Port {
        number: 8080,
        ..Port::default()
    };
    Known {
        facts: Facts {
            port,
            ..Facts::default()
        },
        offers,
        asked: Asked {
            own: DEFAULT_CLUSTER.to_string(),
            ..Asked::default()
        },
        usual_cluster: DEFAULT_CLUSTER.to_string(),
        last_port: None,
    }
}

fn names(offers: &[Offer]) -> Vec<&str> {
    offers.iter().map(|offer| offer.name.as_str()).collect()
}

fn proposed(offers: Vec<Offer>) -> Proposal {
    propose(&known(offers), &Answers::default()).unwrap()
}

#[test]
fn of_several_models_the_smallest_that_chats_is_taken_and_said() {
    let service = ollama(&[
        ("qwen3:8b", 5_200_000_000, false),
        ("nomic-embed-text:latest", 274_000_000, true),
        ("llama3.2:latest", 2_000_000_000, false),
    ]);
    let offers = of_services(&[service]);
    assert_eq!(offers[0].fields["model"], "llama3.2");
    let reason = "this machine, at 127.0.0.1:11434, the smallest of its 2 models that chat";
    assert_eq!(offers[0].reason, reason);
    assert_eq!(offers[0].lacks, None);
}

#[test]
fn an_ollama_without_a_model_that_chats_is_left_out_with_the_command_that_gets_one() {
    let table: [(&[Told], &str); 2] = [
        (&[], "Ollama has no model"),
        (
            &[("all-minilm:latest", 46_000_000, true)],
            "Ollama has no model that chats",
        ),
    ];
    for (models, what) in table {
        let proposal = proposed(of_services(&[ollama(models)]));
        let lack = proposal.left_out[0].lacks.as_ref().unwrap();
        assert_eq!(
            (lack.what.as_str(), lack.next.as_str()),
            (what, "ollama pull llama3.2")
        );
        assert_eq!(names(&proposal.used), ["mock"]);
    }
}

#[test]
fn a_server_that_is_not_at_its_usual_place_is_written_with_its_place() {
    let at = |address: &str| Service {
        address: address.into(),
        ..ollama(&[("llama3.2:latest", 1, false)])
    };
    assert_eq!(of_services(&[at("127.0.0.1:9000")])[0].fields["port"], 9000);
    let elsewhere = &of_services(&[at("192.168.1.4:11434")])[0];
    assert_eq!(elsewhere.fields["address"], "http://192.168.1.4:11434");
}

#[test]
fn providers_come_in_one_order_whatever_the_order_of_their_keys() {
    let keys = [
        key("bedrock", "AWS_ACCESS_KEY_ID", "environment"),
        key("openai", "OPENAI_API_KEY", "environment"),
        key("gemini", "GOOGLE_API_KEY", "environment"),
    ];
    let mut turned = keys.to_vec();
    turned.reverse();
    assert_eq!(names(&of_keys(&keys)), ["openai", "gemini", "bedrock"]);
    assert_eq!(of_keys(&keys), of_keys(&turned));
}

#[test]
fn a_login_of_gcloud_is_got_by_gcloud() {
    let file = "application_default_credentials.json";
    let vertex = &of_keys(&[key("vertexai", file, "~/.config/gcloud")])[0];
    let words = [
        "gcloud",
        "auth",
        "application-default",
        "print-access-token",
    ];
    assert_eq!(vertex.fields["key"]["command"], serde_json::json!(words));
    let set = &of_keys(&[
        key("vertexai", "VERTEX_ACCESS_TOKEN", "environment"),
        key("vertexai", file, "~/.config/gcloud"),
    ])[0];
    assert!(set.fields.is_empty());
}

#[test]
fn what_a_provider_says_of_its_key_decides() {
    let keys = [
        key("openai", "OPENAI_API_KEY", "environment"),
        key("anthropic", "ANTHROPIC_API_KEY", "environment"),
    ];
    let here = KeyState::Here {
        entries: Vec::new(),
        from: "OPENAI_API_KEY".into(),
        note: None,
    };
    let refused = "Anthropic refuses the key of ANTHROPIC_API_KEY: \"invalid x-api-key\"";
    let states = BTreeMap::from([
        ("openai".to_string(), here),
        (
            "anthropic".to_string(),
            KeyState::Lacking(Error::usage(refused, "gw up")),
        ),
    ]);
    let services = Services {
        keys: states,
        ..Services::default()
    };
    let proposal = proposed(judged(of_keys(&keys), &services));
    assert_eq!(names(&proposal.used), ["openai"]);
    assert_eq!(proposal.used[0].reason, "key checked");
    let why = |offer: &Offer| offer.lacks.as_ref().unwrap().what.clone();
    let left: Vec<String> = proposal.left_out.iter().map(why).collect();
    assert_eq!(left, [refused]);
}

#[test]
fn the_port_is_the_one_asked_for_else_the_clusters_else_a_free_one() {
    let taken = Port {
        number: 8080,
        owner: Some("nginx (pid 7)".into()),
        ours: false,
        next: Some(8081),
    };
    let mut known = known(Vec::new());
    known.facts.port = taken;
    let proposal = propose(&known, &Answers::default()).unwrap();
    assert_eq!(proposal.port, 8081);
    let why = "8080 is taken by nginx (pid 7), 8081 is free";
    assert_eq!(proposal.why_port.as_deref(), Some(why));
    let asked = Answers {
        port: Some(9000),
        ..Answers::default()
    };
    assert_eq!(propose(&known, &asked).unwrap().port, 9000);
    // A cluster's port is its container's: nothing of anybody else's.
    let node = |published: &[u16]| Container {
        name: "gatewright-control-plane".into(),
        product: "kind".into(),
        cluster: "gatewright".into(),
        running: true,
        published: published.to_vec(),
    };
    for (published, port) in [([8080], 8080), ([8088], 8088)] {
        known.facts.docker.containers = vec![node(&published)];
        let proposal = propose(&known, &Answers::default()).unwrap();
        let cluster = "gatewright".to_string();
        assert_eq!(
            (proposal.place, proposal.port),
            (Place::Kind { cluster }, port)
        );
    }
}

#[test]
fn an_environment_that_is_there_keeps_its_place_and_its_port() {
    let mut known = known(Vec::new());
    known.asked.last = Some(Place::Embedded);
    known.last_port = Some(8099);
    let proposal = propose(&known, &Answers::default()).unwrap();
    assert_eq!((proposal.place, proposal.port), (Place::Embedded, 8099));
}

#[test]
fn only_what_was_ticked_is_used_and_a_lack_is_not_ticked_away() {
    let mut offers = of_keys(&[
        key("openai", "OPENAI_API_KEY", "environment"),
        key("anthropic", "ANTHROPIC_API_KEY", "environment"),
        key("gemini", "GEMINI_API_KEY", "environment"),
    ]);
    offers[2].lacks = Some(Error::usage("refused", "gw up"));
    let ticked = Answers {
        backends: Some(["openai", "gemini"].map(str::to_string).into()),
        ..Answers::default()
    };
    let proposal = propose(&known(offers), &ticked).unwrap();
    assert_eq!(names(&proposal.used), ["openai"]);
    assert_eq!(names(&proposal.left_out), ["anthropic", "gemini"]);
}

#[test]
fn every_document_is_a_profile_with_a_route_for_each_offer() {
    let mut offers = of_services(&[ollama(&[("hf.co/x/y: z#:Q4", 1, false)])]);
    let all = [
        "openai",
        "anthropic",
        "gemini",
        "azureopenai",
        "vertexai",
        "bedrock",
    ];
    let keys = all.map(|provider| key(provider, "X", "environment"));
    offers.extend(of_keys(&keys));
    offers.extend(of_keys(&[key(
        "bedrock",
        "credentials",
        "~/.aws/credentials",
    )]));
    offers.dedup_by(|a, b| a.name == b.name);
    offers[0].reason = "two\nlines: # and more".into();
    let known = known(offers);
    let proposal = propose(&known, &Answers::default()).unwrap();
    let text = &proposal.document;
    let profile = wire::read(text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    let routes: Vec<&str> = profile
        .routes
        .iter()
        .map(|route| route.name.as_str())
        .collect();
    assert_eq!(routes, names(&proposal.used));
    assert_eq!(
        *text,
        propose(&known, &Answers::default()).unwrap().document
    );
}

#[test]
fn a_document_names_the_port_only_where_it_is_not_the_usual_one() {
    let mock = [Offer::mock()];
    assert!(!document(&mock, None, 8080).contains("port"));
    let text = document(&mock, None, 8081);
    assert_eq!(wire::read(&text).unwrap().gateway.port, 8081);
}

#[test]
fn a_provider_that_lacks_more_than_a_key_is_left_out_with_what_it_lacks() {
    let here = KeyState::Here {
        entries: vec!["Authorization".into()],
        from: "AZURE_OPENAI_API_KEY".into(),
        note: None,
    };
    let services = Services {
        keys: BTreeMap::from([("azure".to_string(), here)]),
        ..Services::default()
    };
    let keys = [key("azureopenai", "AZURE_OPENAI_API_KEY", "environment")];
    let proposal = proposed(judged(of_keys(&keys), &services));
    let lack = proposal.left_out[0].lacks.clone().unwrap();
    assert_eq!(lack.what, "Azure OpenAI has no endpoint");
    assert!(
        lack.next.starts_with("export AZURE_OPENAI_ENDPOINT="),
        "{lack}"
    );
}

#[test]
fn a_key_can_be_typed_for_who_has_none_and_needs_one_word() {
    let keys = [key("openai", "OPENAI_API_KEY", "environment")];
    let names: Vec<String> = without_key(&keys).into_iter().map(|o| o.name).collect();
    assert_eq!(names, ["anthropic", "gemini", "azure", "bedrock"]);
}

#[test]
fn a_cluster_that_is_not_there_is_said_to_be_created_and_never_proposed() {
    let mut known = known(Vec::new());
    known.facts.docker.address = Some("unix:///var/run/docker.sock".into());
    let program = |name: &str| crate::host::facts::Program {
        name: name.into(),
        version: None,
    };
    known.facts.programs = vec![program("kind"), program("helm")];
    let proposal = propose(&known, &Answers::default()).unwrap();
    let why = "no cluster needed, ready in under a second; [t] has 1 other place";
    assert_eq!(
        (proposal.place, proposal.why_there.as_str()),
        (Place::Embedded, why)
    );
    let new = choices(&known)
        .0
        .into_iter()
        .find(|c| c.place != Place::Embedded);
    let asked = Answers {
        place: Some(new.unwrap().place),
        ..Answers::default()
    };
    assert!(propose(&known, &asked).unwrap().creates);
}

#[test]
fn a_profile_names_the_kind_cluster_that_its_environment_would_not_take_itself() {
    let of = |environment: &str, cluster: &str| {
        let known = Known {
            usual_cluster: default_cluster(environment),
            ..known(Vec::new())
        };
        let answers = Answers {
            place: Some(Place::NewKind {
                cluster: cluster.to_string(),
            }),
            ..Answers::default()
        };
        propose(&known, &answers).unwrap().document
    };
    let named = format!("cluster: {DEFAULT_CLUSTER}");
    assert!(!of("default", DEFAULT_CLUSTER).contains("cluster:"));
    assert!(of("ci", DEFAULT_CLUSTER).contains(&named));
    assert!(!of("ci", &default_cluster("ci")).contains("cluster:"));
}
