//! From a profile to its written form with every default filled in: what `gw profile show` prints
//! and what a ledger records.

use super::duration::written;
use super::wire::{API_VERSION, KIND, read};
use super::{
    Backend, Gateway, Headers, Image, Policy, Profile, Release, Route, Rule, Target, TargetKind,
    Test, problem,
};
use crate::error::Result;
use crate::yaml;
use serde_json::{Map, Value, json};

/// The written form; reading it gives the same profile again.
pub fn to_wire(profile: &Profile) -> Value {
    let Profile {
        name,
        description,
        target,
        release,
        gateway: Gateway {
            name: gateway,
            port,
        },
        backends,
        routes,
        policies,
        tests,
    } = profile;
    let target = self::target(target);
    let absent = target == json!({});
    object([
        ("apiVersion", Some(json!(API_VERSION))),
        ("kind", Some(json!(KIND))),
        ("name", Some(json!(name))),
        ("description", Some(json!(description))),
        ("target", (!absent).then_some(target)),
        ("release", Some(self::release(release))),
        ("gateway", Some(json!({"name": gateway, "port": port}))),
        ("backends", Some(backends.iter().map(backend).collect())),
        ("routes", Some(routes.iter().map(route).collect())),
        ("policies", Some(policies.iter().map(policy).collect())),
        ("tests", Some(tests.iter().map(test).collect())),
    ])
}

/// A profile that was recorded; `origin` says where, if it should not be readable.
pub fn from_wire(value: &Value, origin: &str) -> Result<Profile> {
    let text = yaml::write(value);
    read(&text).map_err(|problems| problem::error(&problems, origin, &text, problem::CORRECT))
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields.into_iter();
    let present = present.filter_map(|(name, value)| Some((name.to_string(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

fn target(target: &Target) -> Value {
    let Target {
        kind,
        cluster,
        node_image,
    } = target;
    object([
        ("kind", kind.map(|kind| json!(TargetKind::name(kind)))),
        ("cluster", cluster.as_ref().map(|text| json!(text))),
        ("nodeImage", node_image.as_ref().map(|text| json!(text))),
    ])
}

fn release(release: &Release) -> Value {
    let Release {
        version,
        namespace,
        kgateway,
        charts,
        controller_image,
        proxy_image,
    } = release;
    object([
        ("version", Some(json!(version))),
        ("namespace", Some(json!(namespace))),
        ("kgateway", Some(json!(kgateway))),
        ("charts", Some(json!(charts))),
        ("controllerImage", controller_image.as_ref().map(image)),
        ("proxyImage", proxy_image.as_ref().map(image)),
    ])
}

fn image(image: &Image) -> Value {
    let Image {
        registry,
        repository,
        tag,
    } = image;
    object([
        ("registry", registry.as_ref().map(|text| json!(text))),
        ("repository", repository.as_ref().map(|text| json!(text))),
        ("tag", tag.as_ref().map(|text| json!(text))),
    ])
}

fn backend(backend: &Backend) -> Value {
    let Backend {
        name,
        provider,
        model,
        port,
        required,
        fallback,
    } = backend;
    object([
        ("name", Some(json!(name))),
        ("provider", Some(json!(provider.ways().name))),
        ("model", model.as_ref().map(|text| json!(text))),
        ("port", port.map(|port| json!(port))),
        ("required", Some(json!(required))),
        ("fallback", Some(json!(fallback))),
    ])
}

fn route(route: &Route) -> Value {
    let Route {
        name,
        path,
        backend,
        request_headers,
        timeout,
    } = route;
    let unchanged = *request_headers == Headers::default();
    object([
        ("name", Some(json!(name))),
        ("path", Some(json!(path))),
        ("backend", Some(json!(backend))),
        (
            "requestHeaders",
            (!unchanged).then(|| headers(request_headers)),
        ),
        ("timeout", timeout.map(|time| json!(written(time)))),
    ])
}

fn headers(headers: &Headers) -> Value {
    let Headers { set, add, remove } = headers;
    let map = |pairs: &[(String, String)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)));
        Value::Object(pairs.collect())
    };
    object([
        ("set", (!set.is_empty()).then(|| map(set))),
        ("add", (!add.is_empty()).then(|| map(add))),
        ("remove", (!remove.is_empty()).then(|| json!(remove))),
    ])
}

fn policy(policy: &Policy) -> Value {
    let Policy { name, rule } = policy;
    match rule {
        Rule::Csrf { additional_origins } => json!({
            "name": name,
            "csrf": {"additionalOrigins": additional_origins},
        }),
    }
}

fn test(test: &Test) -> Value {
    let Test {
        name,
        route,
        method,
        path,
        body,
        status,
        contains,
    } = test;
    let expect = object([
        ("status", Some(json!(status))),
        ("contains", contains.as_ref().map(|text| json!(text))),
    ]);
    object([
        ("name", Some(json!(name))),
        ("route", Some(json!(route))),
        ("method", Some(json!(method))),
        ("path", Some(json!(path))),
        ("body", body.clone()),
        ("expect", Some(expect)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::shipped::shipped;
    use crate::provider::Provider;
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::option::of;
    use proptest::prelude::*;
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
        let target = (kind, of(NAME), of(TEXT));
        let target = target.prop_map(|(kind, cluster, node_image)| Target {
            kind,
            cluster,
            node_image,
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
                tests: Vec::new(),
            },
        )
    }

    fn backend() -> impl Strategy<Value = Backend> {
        let provider = prop::sample::select(Provider::ALL.to_vec());
        let fields = (
            provider,
            of(TEXT),
            of(20000u16..),
            any::<bool>(),
            any::<bool>(),
        );
        fields.prop_map(|(provider, model, port, required, fallback)| Backend {
            name: String::new(),
            provider,
            model,
            port,
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
            })
    }

    fn any_profile() -> impl Strategy<Value = Profile> {
        let backends = btree_map(NAME, backend(), 1..4);
        let routes = btree_map(NAME, changes(), 1..4);
        let tests = btree_map(NAME, test(), 0..3);
        let policy = of((NAME, vec("https?://[a-z]{1,5}(:[1-9][0-9]{1,3})?", 0..3)));
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
                    .map(|(name, additional_origins)| Policy {
                        name,
                        rule: Rule::Csrf { additional_origins },
                    })
                    .collect();
                if profile
                    .backends
                    .iter()
                    .any(|b| b.port == Some(profile.gateway.port))
                {
                    profile.gateway.port = 8080;
                }
                profile
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_profile_reads_back_as_it_was_written(profile in any_profile()) {
            let back = from_wire(&to_wire(&profile), "ledger");
            prop_assert_eq!(back, Ok(profile));
        }
    }
}
