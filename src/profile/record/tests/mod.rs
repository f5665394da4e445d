use super::*;
use crate::profile::address::Address;
use crate::profile::rule::{ApiKeys, Counted, KeyFrom, Limit, PromptGuard, Unit};
use crate::profile::shipped::shipped;
use crate::profile::{
    Backend, Llm, Mcp, McpServer, McpTarget, Policy, Protocol, Rule, Selector, Serves, Stdio,
    Variable,
};
use crate::provider::check::AUTHORIZATION;
use crate::provider::{Home, Key, Provider};
use crate::secret::source::Source;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const NAME: &str = "[a-z]([a-z0-9-]{0,12}[a-z0-9])?";
const TEXT: &str = "[!-~é]([ -~é]{0,12}[!-~é])?";

#[test]
fn a_recorded_profile_reads_back_the_same() {
    for shipped in shipped() {
        let profile = read(shipped.text).expect(shipped.name);
        assert_eq!(from_wire(&to_wire(&profile), "ledger"), Ok(profile));
    }
}

#[test]
fn every_default_is_filled_in() {
    let profile = read(shipped()[0].text).expect("default");
    let wire = to_wire(&profile);
    assert_eq!(wire["release"]["version"], "v2.2.0");
    assert_eq!(wire["gateway"], json!({"name": "ai-gateway", "port": 8080}));
    assert_eq!(wire["routes"][0]["path"], "/ollama");
    assert_eq!(wire["backends"][1]["required"], true);
}

fn image() -> impl Strategy<Value = Image> {
    let parts = (of(TEXT), of(TEXT), TEXT);
    parts.prop_map(|(registry, repository, tag)| Image {
        registry,
        repository,
        tag: Some(tag),
    })
}

fn top() -> impl Strategy<Value = Profile> {
    let kind = of(prop::sample::select(TargetKind::ALL.to_vec()));
    let target = (kind, of(NAME), of(TEXT), of(TEXT));
    let target = target.prop_map(|(kind, cluster, node_image, context)| Target {
        kind,
        cluster,
        node_image,
        context,
    });
    let release = (
        "v[0-9]\\.[0-9]\\.[0-9](-rc\\.[0-9])?",
        NAME,
        any::<bool>(),
        of(image()),
        of(image()),
    );
    let release = release.prop_map(
        |(version, namespace, kgateway, controller_image, proxy_image)| Release {
            charts: "./charts".into(),
            version,
            namespace,
            kgateway,
            controller_image,
            proxy_image,
        },
    );
    (NAME, ".{0,30}", target, release, NAME, 1024u16..11000).prop_map(
        |(name, description, target, release, gateway, port)| Profile {
            name,
            description,
            target,
            release,
            gateway: Gateway {
                name: format!("g-{gateway}"),
                port,
            },
            backends: Vec::new(),
            routes: Vec::new(),
            policies: Vec::new(),
            manifests: vec![format!("/m/{port}.yaml")],
            tests: Vec::new(),
        },
    )
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        "[A-Z][A-Z0-9_]{0,8}".prop_map(|name| Source::env(&name)),
        TEXT.prop_map(Source::File),
        vec("[a-z]{1,5}", 1..3).prop_map(Source::Command),
        "[a-z]{1,8}".prop_map(Source::Keychain),
        "[a-z]{1,8}".prop_map(Source::Prompt),
    ]
}

fn address() -> impl Strategy<Value = Address> {
    let path = prop::sample::select(vec!["", "/v1", "/a/b"]);
    (any::<bool>(), "[a-z]{1,8}\\.example", 1u16.., path).prop_map(|(tls, host, port, path)| {
        Address {
            tls,
            host,
            port,
            path: path.to_string(),
        }
    })
}

fn llm() -> impl Strategy<Value = Llm> {
    let provider = prop::sample::select(Provider::ALL.to_vec());
    let models = prop_oneof![
        of(TEXT).prop_map(|model| (model, Vec::new(), BTreeMap::new())),
        (vec(TEXT, 0..3), btree_map("[a-z]{1,5}", TEXT, 0..3))
            .prop_map(|(models, aliases)| (None, models, aliases)),
    ];
    let fields = (provider, models, of(20000u16..), address(), of(source()));
    fields.prop_map(|(provider, (model, models, aliases), port, address, key)| {
        let ways = provider.ways();
        let mut llm = Llm::of(provider);
        if provider != Provider::AzureOpenAi {
            (llm.model, llm.models, llm.aliases) = (model, models, aliases);
        }
        llm.port = port.filter(|_| ways.home == Home::Machine);
        llm.address = (ways.home == Home::Address).then_some(address);
        let needed = ways.settings.iter().filter(|setting| setting.needed);
        llm.settings = needed
            .map(|s| (s.field.to_string(), s.example.to_string()))
            .collect();
        let key = key.filter(|_| ways.key != Key::None);
        llm.keys = key
            .map(|key| (AUTHORIZATION.to_string(), key))
            .into_iter()
            .collect();
        llm
    })
}

fn mcp() -> impl Strategy<Value = Mcp> {
    let protocol = prop::sample::select(Protocol::ALL.to_vec());
    let by_address =
        (of(address()), protocol, of(source())).prop_map(|(address, protocol, key)| {
            (
                address.map_or(McpServer::Mock, McpServer::Address),
                protocol,
                key,
            )
        });
    let variable = prop_oneof![
        TEXT.prop_map(Variable::Plain),
        source().prop_map(Variable::Key),
    ];
    let env = btree_map("[A-Z_][A-Z0-9_]{0,8}", variable, 0..3);
    let stdio = ("[a-z]{1,8}", vec(TEXT, 0..3), env).prop_map(|(program, args, env)| {
        let command = std::iter::once(program).chain(args).collect();
        McpServer::Stdio(Stdio { command, env })
    });
    let selector = (btree_map(NAME, NAME, 1..3), of(NAME));
    let selector = selector
        .prop_map(|(labels, namespace)| McpServer::Services(Selector { labels, namespace }));
    let others = prop_oneof![stdio, selector];
    let others = others.prop_map(|server| (server, Protocol::StreamableHttp, None));
    let targets = btree_map(NAME, prop_oneof![by_address, others], 1..3);
    (targets, any::<bool>()).prop_map(|(targets, stateless)| {
        let target = |(name, (server, protocol, key))| McpTarget {
            name,
            server,
            protocol,
            key,
        };
        let targets: Vec<McpTarget> = targets.into_iter().map(target).collect();
        let is_program = |t: &McpTarget| matches!(t.server, McpServer::Stdio(_));
        let stateless = stateless && !targets.iter().any(is_program);
        Mcp { targets, stateless }
    })
}

fn backend() -> impl Strategy<Value = Backend> {
    let serves = prop_oneof![
        llm().prop_map(|llm| Serves::Llm(Box::new(llm))),
        mcp().prop_map(Serves::Mcp),
    ];
    (serves, any::<bool>(), any::<bool>()).prop_map(|(serves, required, fallback)| Backend {
        name: String::new(),
        serves,
        required,
        fallback,
    })
}

fn changes() -> impl Strategy<Value = (Headers, Option<Duration>)> {
    let pairs = |prefix: &'static str| {
        let name = "[a-z-]{1,8}".prop_map(move |name| format!("{prefix}-{name}"));
        btree_map(name, TEXT, 0..3).prop_map(|pairs| pairs.into_iter().collect())
    };
    let remove = btree_set("[a-z]{1,8}", 0..3).prop_map(|names| names.into_iter().collect());
    let headers = (pairs("set"), pairs("add"), remove);
    let headers = headers.prop_map(|(set, add, remove)| Headers { set, add, remove });
    (
        headers,
        of((100u64..86_400_000).prop_map(Duration::from_millis)),
    )
}

fn test() -> impl Strategy<Value = Test> {
    let body = prop_oneof![
        Just(json!({"a": [1, "yes", null]})),
        Just(json!("text")),
        Just(json!(1.5))
    ];
    (
        of(body),
        200u16..600,
        of("(?s).{1,12}"),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(body, status, contains, method)| Test {
            name: String::new(),
            route: String::new(),
            path: "/v1/chat/completions?a=%20b".into(),
            method: method.get(&["GET", "POST", "DELETE"]).to_string(),
            body,
            status,
            contains,
            headers: Default::default(),
            json: Default::default(),
        })
}

fn rule() -> impl Strategy<Value = Rule> {
    let origins = vec("https?://[a-z]{1,5}(:[1-9][0-9]{1,3})?", 0..3);
    let limit = (
        any::<bool>(),
        1u32..1000,
        any::<prop::sample::Index>(),
        of(1u32..9),
    );
    let limit = limit.prop_map(|(tokens, count, per, burst)| Limit {
        of: if tokens {
            Counted::Tokens
        } else {
            Counted::Requests
        },
        count,
        per: *per.get(&Unit::ALL),
        burst,
    });
    let keys = btree_map("[a-z]{1,5}", of(source()), 1..3);
    let keys = (any::<bool>(), keys).prop_map(|(optional, keys)| ApiKeys {
        optional,
        keys: keys
            .into_iter()
            .map(|(name, from)| (name, from.map_or(KeyFrom::Generated, KeyFrom::Source)))
            .collect(),
    });
    let patterns = || vec("[a-zA-Z0-9]{1,5}", 0..3);
    let guard = (patterns(), patterns(), of(TEXT), of(200u16..600));
    let guard = guard.prop_map(|(mut reject, mask_answers, message, status)| {
        reject.push("Email".to_string());
        PromptGuard {
            reject,
            mask_answers,
            message,
            status,
            ..PromptGuard::default()
        }
    });
    prop_oneof![
        origins.prop_map(|additional_origins| Rule::Csrf { additional_origins }),
        limit.prop_map(Rule::Limit),
        keys.prop_map(Rule::ApiKeys),
        guard.prop_map(Rule::PromptGuard),
        (100u64..86_400_000).prop_map(|ms| Rule::Timeout(Duration::from_millis(ms))),
    ]
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let backends = btree_map(NAME, backend(), 1..4);
    let routes = btree_map(NAME, changes(), 1..4);
    let tests = btree_map(NAME, test(), 0..3);
    let policy = of((NAME, rule()));
    (top(), backends, routes, tests, policy).prop_map(
        |(mut profile, backends, routes, tests, policy)| {
            let first = backends.keys().next().cloned().unwrap_or_default();
            let route = routes.keys().next().cloned().unwrap_or_default();
            profile.backends = backends
                .into_iter()
                .map(|(name, b)| Backend { name, ..b })
                .collect();
            profile.routes = routes
                .into_iter()
                .map(|(name, (request_headers, timeout))| Route {
                    path: format!("/p/{name}"),
                    backend: first.clone(),
                    name,
                    request_headers,
                    timeout,
                })
                .collect();
            profile.tests = tests
                .into_iter()
                .map(|(name, t)| Test {
                    name,
                    route: route.clone(),
                    ..t
                })
                .collect();
            profile.policies = policy
                .into_iter()
                .map(|(name, rule)| Policy {
                    name,
                    routes: Vec::new(),
                    rule,
                })
                .collect();
            // No port that a provider has on this machine: 8080 is llama.cpp's.
            profile.gateway.port = 8099;
            profile
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_profile_reads_back_as_it_was_written(profile in any_profile()) {
        let back = from_wire(&to_wire(&profile), "ledger");
        prop_assert_eq!(back, Ok(profile));
    }
}
