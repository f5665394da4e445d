use super::*;
use serde_json::json;

fn at() -> Address {
    Address {
        host: "llm.example".into(),
        port: 8443,
        tls: true,
        settings: json!({}),
        ..Address::default()
    }
}

fn cluster() -> Hands {
    Hands {
        backend: "b".into(),
        kubectl: Some("kubectl -n ns".into()),
        ..Hands::default()
    }
}

/// What rustls 0.23 writes (its `impl Display` for `Error` and `CertificateError`), and the short forms of
/// those that know no more.
const SAID: [(&str, &str); 12] = [
    (
        "invalid peer certificate: certificate expired: verification time 1764134000 (UNIX), but certificate is not valid after 1704067200 (60066800 seconds ago)",
        "its certificate has expired: it was valid until Mon, 01 Jan 2024 00:00:00 GMT",
    ),
    (
        "invalid peer certificate: Expired",
        "its certificate has expired",
    ),
    (
        "invalid peer certificate: certificate not valid yet: verification time 1 (UNIX), but certificate is not valid before 1704067200 (9 seconds in future)",
        "its certificate is valid from Mon, 01 Jan 2024 00:00:00 GMT only",
    ),
    (
        "invalid peer certificate: certificate not valid for name \"llm.example\"; certificate is only valid for DnsName(\"a.example\"), DnsName(\"b.example\") or IpAddress(127.0.0.1)",
        "its certificate is for a.example, b.example and 127.0.0.1, not for llm.example",
    ),
    (
        "invalid peer certificate: NotValidForName",
        "its certificate is not for llm.example",
    ),
    (
        "invalid peer certificate: UnknownIssuer",
        "its certificate is signed by nobody whom the gateway trusts",
    ),
    (
        "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
        "its certificate is signed by nobody whom the gateway trusts",
    ),
    (
        "received corrupt message of type InvalidContentType; plain HTTP is answered 404",
        "it speaks no TLS: plain HTTP is answered (404)",
    ),
    (
        "received corrupt message of type InvalidContentType",
        "what listens there speaks no TLS that the gateway knows",
    ),
    (
        "received fatal alert: ProtocolVersion",
        "it offers no TLS of today, 1.2 or 1.3 (ProtocolVersion)",
    ),
    (
        "received fatal alert: CertificateRequired",
        "it wants a certificate of the gateway, and is shown none",
    ),
    (
        "no answer to the TLS handshake in 3.00 s",
        "no answer to the TLS handshake in 3.00 s",
    ),
];

#[test]
fn every_fault_of_tls_is_told_in_plain_words_with_one_command() {
    for (why, what) in SAID {
        for hands in [
            cluster(),
            Hands {
                kubectl: None,
                ..cluster()
            },
        ] {
            let told = fault(why, &at(), &hands);
            assert_eq!(told.what, what);
            assert!(!told.fix.is_empty() && !told.next.is_empty(), "{told:?}");
        }
    }
}

#[test]
fn a_backend_is_mended_where_it_is_written() {
    let (plain, misnamed) = (SAID[8].0, SAID[3].0);
    let next = |why, hands: &Hands| fault(why, &at(), hands).next;
    assert_eq!(
        next(plain, &cluster()),
        r#"kubectl -n ns patch agentgatewaybackend b --type json -p '[{"op": "remove", "path": "/spec/policies/tls"}]'"#
    );
    assert_eq!(
        next(misnamed, &cluster()),
        r#"kubectl -n ns patch agentgatewaybackend b --type merge -p '{"spec": {"policies": {"tls": {"sni": "a.example"}}}}'"#
    );
    let ours = Hands {
        profile: Some("p.yaml".into()),
        ..cluster()
    };
    assert_eq!(
        next(plain, &ours),
        "sed -i.bak 's|https://llm.example:8443|http://llm.example:8443|' p.yaml && gw up"
    );
    assert_eq!(
        next(misnamed, &ours),
        "sed -i.bak 's|https://llm.example:8443|https://a.example:8443|' p.yaml && gw up"
    );
    let changed = Hands {
        is_changed: true,
        ..ours
    };
    assert_eq!(next(misnamed, &changed), "gw up --force");
    let secured = Hands {
        is_secured: true,
        is_lone: true,
        ..changed
    };
    assert_eq!(
        next(misnamed, &secured),
        r#"kubectl -n ns patch agentgatewaybackend b --type json -p '[{"op": "remove", "path": "/spec/policies"}]' && gw up --force"#
    );
}

#[test]
fn a_wildcard_is_no_name_to_ask_by() {
    let why = "certificate not valid for name \"llm.example\"; certificate is only valid for DnsName(\"*.a.example\")";
    let told = fault(why, &at(), &cluster());
    assert!(
        told.next
            .starts_with("openssl s_client -connect llm.example:8443"),
        "{told:?}"
    );
}

#[test]
fn what_a_server_calls_itself_is_no_part_of_a_command_unless_it_is_a_plain_name() {
    for name in [
        "DnsName(\"x'; touch y #\")",
        "DnsName(\"x|e touch y|\")",
        "Unsupported(0x81)",
        "DirectoryName",
    ] {
        let why = format!(
            "certificate not valid for name \"llm.example\"; certificate is only valid for {name}"
        );
        let told = fault(&why, &at(), &cluster());
        assert!(
            told.next
                .starts_with("openssl s_client -connect llm.example:8443"),
            "{told:?}"
        );
        assert!(!told.what.contains("touch"), "{told:?}");
    }
}
