//! Texts, what is taken of them, and what is told.

use super::{Input, Source, Weight};
use proptest::prelude::{any, proptest};

fn read(text: &str) -> Input {
    let source = Source {
        origin: "mine.yaml".to_string(),
        text: text.to_string(),
    };
    Input::read(vec![source], "default")
}

fn first(input: &Input, weight: Weight) -> String {
    input.lines(weight).into_iter().next().unwrap_or_default()
}

const BACKEND: &str = "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayBackend\nmetadata: {name: b}\nspec:\n";

#[test]
fn a_fault_is_told_with_its_file_line_and_column() {
    let input = read(&format!(
        "{BACKEND}  ai:\n    provider:\n      openai: {{}}\n      hots: x\n"
    ));
    let lines = input.lines(Weight::Refused);
    assert!(lines[0].starts_with("mine.yaml:8:7"), "{lines:?}");
    assert!(
        lines
            .join(" ")
            .contains("unknown field \"spec.ai.provider.hots\""),
        "{lines:?}"
    );
    assert!(
        lines.join(" ").contains("did you mean `host`?"),
        "{lines:?}"
    );
}

#[test]
fn a_kind_that_is_left_aside_is_named_and_one_that_does_not_exist_is_refused() {
    let input = read(
        "apiVersion: apps/v1\nkind: Deployment\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n---\napiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayBackends\n",
    );
    assert_eq!(input.count(Weight::Warned), 2);
    let warned = input.lines(Weight::Warned).join("\n");
    assert!(
        warned.contains("mine.yaml:2:7  Deployment of apps/v1 means nothing without a cluster"),
        "{warned}"
    );
    assert!(
        warned.contains("mine.yaml:5:7  GRPCRoute of gateway.networking.k8s.io/v1"),
        "{warned}"
    );
    assert!(
        first(&input, Weight::Refused)
            .starts_with("mine.yaml:8:7  no matches for kind \"AgentgatewayBackends\"")
    );
}

#[test]
fn no_line_that_is_shown_has_a_key_in_it() {
    let texts = [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {Authorization: sk-very-secret}\n".to_string(),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {Authorization: 12345678}\n".to_string(),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: sk-very-secret: b}\n".to_string(),
        format!("{BACKEND}  policies: {{auth: {{key: sk-very-secret, kye: x}}}}\n"),
    ];
    for text in texts {
        let input = read(&text);
        assert!(input.count(Weight::Refused) > 0, "{text}");
        let lines = input.lines(Weight::Refused).join("\n");
        assert!(
            !lines.contains("very-secret") && !lines.contains("12345678"),
            "{lines}"
        );
    }
}

#[test]
fn a_list_is_its_items_and_the_last_of_twins_counts() {
    let item = |value: &str| {
        format!(
            "- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{k: {value}}}}}\n"
        )
    };
    let input = read(&format!(
        "apiVersion: v1\nkind: List\nitems:\n{}{}",
        item("old"),
        item("new")
    ));
    assert_eq!(input.objects.len(), 1);
    assert_eq!(input.values()[0]["data"]["k"], "new");
    assert_eq!(input.values()[0]["metadata"]["namespace"], "default");
    assert!(first(&input, Weight::Warned).contains("is given twice"));
}

#[test]
fn what_a_controller_would_say_is_told_beside_the_object() {
    let mut input = read(&format!(
        "{BACKEND}  ai: {{provider: {{openai: {{}}}}}}\n  policies: {{auth: {{secretRef: {{name: no}}}}}}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r}}\nspec: {{parentRefs: [{{name: no}}]}}\n"
    ));
    assert_eq!(
        input.count(Weight::Refused),
        0,
        "{:?}",
        input.lines(Weight::Refused)
    );
    let world = crate::gateway::World::of(input.values()).unwrap();
    input.note_standing(&crate::gateway::compile(&world).status);
    let warned = input.lines(Weight::Warned).join("\n");
    assert!(
        warned.contains("mine.yaml:1:1  AgentgatewayBackend default/b:"),
        "{warned}"
    );
    assert!(
        warned
            .replace("\n    ", " ")
            .contains("secret default/no not found"),
        "{warned}"
    );
    assert!(
        warned.contains("mine.yaml:8:1  HTTPRoute default/r: no Gateway takes it"),
        "{warned}"
    );
}

#[test]
fn parameters_of_a_deployment_are_named_as_left_aside() {
    let mut input = read(
        "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayParameters\nmetadata: {name: p}\nspec: {logging: {format: json}, image: {tag: v1}, resources: {}}\n",
    );
    input.note_standing(&std::collections::BTreeMap::new());
    let warned = input
        .lines(Weight::Warned)
        .join("\n")
        .replace("\n    ", " ");
    assert!(
        warned.contains("`image` and `resources` means nothing without a cluster"),
        "{warned}"
    );
    assert!(!warned.contains("`logging` means"), "{warned}");
}

proptest! {
    #[test]
    fn nothing_panics_on_any_text(text in any::<String>(), tail in any::<String>()) {
        let input = read(&format!("{text}\n---\n{BACKEND}  {tail}: {text:?}\n"));
        input.lines(Weight::Refused);
        input.lines(Weight::Warned);
    }
}
