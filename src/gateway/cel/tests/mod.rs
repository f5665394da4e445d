//! Expressions as the documentation and the CRDs of v2.2 show them, and whatever else somebody may write.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode, Uri, Version};
use proptest::prelude::{any, prop_assert, proptest};
use proptest::strategy::Strategy;
use serde_json::{Map, Value, json};

use super::{AnswerFacts, Expression, Facts, Needs, RequestFacts};
use crate::gateway::policy::Caller;

/// Evaluates on a request with all that can be known of it.
fn with_facts<T>(use_them: impl FnOnce(&Facts<'_>) -> T) -> T {
    let (method, uri) = (Method::POST, "/api/v1/chat?x=1".parse::<Uri>().unwrap());
    let mut headers = HeaderMap::new();
    headers.append("x-who", "ann".parse().unwrap());
    headers.append("x-who", "bob".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let mut answer = HeaderMap::new();
    answer.insert("x-up", "1".parse().unwrap());
    let mut caller = Caller::default();
    let claims = json!({"sub": "ann", "realm": {"roles": ["a", "b"]}, "https://x/y": 1});
    let Value::Object(claims) = claims else {
        panic!("claims are an object")
    };
    caller.prove_token(claims, "Bearer secret".parse().unwrap());
    caller.prove_key(Map::from_iter([("group".to_string(), json!("sales"))]).into());
    caller.prove_user("carol");
    let more = [
        ("mcp", json!({"tool": {"name": "echo", "target": "t"}})),
        ("llm", json!({"inputTokens": 7, "requestModel": "m"})),
    ];
    use_them(&Facts {
        request: Some(RequestFacts {
            method: &method,
            uri: &uri,
            scheme: "http",
            authority: "example.com:8080",
            version: Version::HTTP_11,
            headers: &headers,
            body: Some(br#"{"model": "m", "n": 2}"#),
        }),
        answer: Some(AnswerFacts {
            status: StatusCode::CREATED,
            headers: &answer,
            body: Some(b"done"),
        }),
        source: Some("127.0.0.1:4000".parse().unwrap()),
        caller: Some(&caller),
        more: &more,
    })
}

fn evaluate(source: &str) -> Result<Value, String> {
    let expression = Expression::compile(source)?;
    let value = with_facts(|facts| expression.evaluate(facts))?;
    value.json().map_err(|error| error.to_string())
}

#[test]
fn what_can_be_asked_about_has_its_value() {
    let table = [
        ("request.method", json!("POST")),
        ("request.path", json!("/api/v1/chat")),
        ("request.host", json!("example.com:8080")),
        ("request.scheme", json!("http")),
        ("request.version", json!("HTTP/1.1")),
        (
            "request.uri",
            json!("http://example.com:8080/api/v1/chat?x=1"),
        ),
        (r#"request.headers["x-who"]"#, json!("ann")),
        (r#"request.headers["X-Who"]"#, json!("ann")),
        (r#""x-who" in request.headers"#, json!(true)),
        (
            r#"request.headers.exists(h, h.startsWith("content"))"#,
            json!(true),
        ),
        (r#"has(request.headers.nope)"#, json!(false)),
        ("json(request.body).model", json!("m")),
        ("string(request.body).size()", json!(22)),
        ("response.code == 201", json!(true)),
        (r#"response.headers["x-up"]"#, json!("1")),
        ("string(response.body)", json!("done")),
        ("source.address", json!("127.0.0.1")),
        ("source.port", json!(4000)),
        ("jwt.sub", json!("ann")),
        ("'b' in jwt.realm.roles", json!(true)),
        (r#"jwt["https://x/y"]"#, json!(1)),
        ("has(jwt.email)", json!(false)),
        ("apiKey.group == 'sales'", json!(true)),
        ("basicAuth.username", json!("carol")),
        (
            "mcp.tool.name == 'echo' && mcp.tool.target == 't'",
            json!(true),
        ),
        ("llm.inputTokens + 1", json!(8)),
        ("has(extauthz.role)", json!(false)),
        ("size(variables()) > 5", json!(true)),
        ("variables().jwt.sub", json!("ann")),
    ];
    for (source, expected) in table {
        assert_eq!(evaluate(source), Ok(expected), "{source}");
    }
}

#[test]
fn the_functions_of_the_real_proxy() {
    let table = [
        ("default(jwt.email, 'none')", json!("none")),
        ("default(jwt.sub, 'none')", json!("ann")),
        (r#"default(request.headers["nope"], "x")"#, json!("x")),
        ("default(null, 1)", json!(1)),
        ("default(unheard.of, 1)", json!(1)),
        ("default(default(jwt.a, jwt.b), 'c')", json!("c")),
        ("[1, 2].map(x, default(jwt.nope, x))", json!([1, 2])),
        ("json('{\"a\": [1, 2.5]}').a", json!([1, 2.5])),
        ("'{\"a\": 1}'.json().a", json!(1)),
        ("toJson({'a': [1, true]})", json!("{\"a\":[1,true]}")),
        ("to_json('x')", json!("\"x\"")),
        (
            "json(request.body).with(b, b.model + '-' + string(b.n))",
            json!("m-2"),
        ),
        (
            "{'a': 1, 'b': 2}.mapValues(v, v * 2)",
            json!({"a": 2, "b": 4}),
        ),
        ("{'a': 1, 'b': 2}.filterKeys(k, k == 'a')", json!({"a": 1})),
        ("{'a': 1, 'b': 2}.removeKeys(k, k == 'a')", json!({"b": 2})),
        ("{'a': 1}.merge({'a': 2, 'b': 3})", json!({"a": 2, "b": 3})),
        (
            "{'a': {'x': 1}}.mapValues(m, m.mapValues(n, n + 1))",
            json!({"a": {"x": 2}}),
        ),
        ("base64.encode('hi')", json!("aGk=")),
        ("base64Encode(b'hi')", json!("aGk=")),
        ("'hi'.base64Encode()", json!("aGk=")),
        ("string(base64.decode('aGk='))", json!("hi")),
        ("string('aGk='.base64Decode())", json!("hi")),
        ("'a-b-c'.regexReplace('[a-z]-', '')", json!("b-c")),
        ("'a,b'.split(',')[1].upperAscii()", json!("B")),
        ("['a', 'b'].join('+')", json!("a+b")),
        ("random() <= 1.0 && random() >= 0.0", json!(true)),
        (
            "uuid().matches('^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')",
            json!(true),
        ),
        (
            "1 + 2 == 3 && [1] + [2] == [1, 2] && 'a' + 'b' == 'ab'",
            json!(true),
        ),
    ];
    for (source, expected) in table {
        assert_eq!(evaluate(source), Ok(expected), "{source}");
    }
}

#[test]
fn what_has_no_value_is_an_error_and_holds_nothing() {
    let table = [
        "jwt.nope",
        "unheard.of",
        r#"request.headers["nope"]"#,
        "fail('no')",
        "1 / 0",
        "json('{')",
        "base64.decode('?')",
        "'a' + 1",
        "'a'.with(1, 2)",
        "jwt.sub",
    ];
    for source in table {
        let expression = Expression::compile(source).unwrap();
        let held = with_facts(|facts| expression.holds(facts));
        assert!(!held, "{source}");
        assert!(expression.evaluate(&Facts::default()).is_err(), "{source}");
    }
    assert!(
        evaluate("fail('no')")
            .unwrap_err()
            .contains("fail() called: no")
    );
}

#[test]
fn a_body_is_needed_only_where_it_is_asked_about() {
    let needs = |source: &str| Expression::compile(source).unwrap().needs();
    let request = Needs {
        request: true,
        ..Needs::default()
    };
    assert_eq!(needs("1 + 1"), Needs::default());
    assert_eq!(needs("response.code"), Needs::default());
    assert_eq!(needs("request.path"), request);
    assert_eq!(needs("jwt.sub == 'x'"), request);
    assert!(needs("default(json(request.body).model, '')").request_body);
    assert!(needs("[1].map(x, request.body)").request_body);
    assert!(needs("string(response.body)").response_body);
    assert!(!needs("string(response.body)").request_body);
    assert!(needs("llm.inputTokens > 1").llm);
    assert!(needs("variables()").request_body);
}

#[test]
fn values_as_headers_and_as_bodies() {
    let header = |source: &str| {
        let expression = Expression::compile(source).unwrap();
        with_facts(|facts| expression.header(facts))
    };
    assert_eq!(header("request.method").unwrap(), "POST");
    assert_eq!(header("b'x'").unwrap(), "x");
    // Anything else is no header, and neither is a second line.
    for source in ["1", "true", "[1]", "'a\\nb'", "jwt.nope"] {
        assert_eq!(header(source), None, "{source}");
    }
    let body = |source: &str| {
        let expression = Expression::compile(source).unwrap();
        with_facts(|facts| expression.body(facts))
    };
    assert_eq!(body("'text'").unwrap(), "text");
    assert_eq!(body("request.body").unwrap(), r#"{"model": "m", "n": 2}"#);
    assert_eq!(body("{'a': 1}").unwrap(), r#"{"a":1}"#);
    assert_eq!(body("jwt.nope"), None);
}

#[test]
fn mistakes_are_told_with_their_place() {
    for source in ["", "(", "a.b.(", "1 +", "foolen_{{header(\"x\")}}"] {
        assert!(Expression::compile(source).is_err(), "{source}");
    }
    let error = Expression::compile("request.path ==").unwrap_err();
    assert!(error.contains("1:"), "{error}");
    assert!(Expression::compile(&"a".repeat(20_000)).is_err());
    assert!(Expression::compile(&"(".repeat(10_000)).is_err());
    for bracket in ["(", "[", "{", "a(", "[(", "{1:"] {
        for length in [50, 150, 200, 201, 5_000] {
            let _ = Expression::compile(&bracket.repeat(length));
        }
    }
    // However long they are, chains do not exhaust the parser.
    for length in [100, 500, 1_000, 8_000] {
        for (piece, operator) in [
            ("1", "+"),
            ("a", "."),
            ("a", "?a:"),
            ("a", "[a]."),
            ("!a", "||"),
        ] {
            let _ = Expression::compile(&vec![piece; length].join(operator));
        }
    }
    assert!(Expression::compile(&vec!["1"; 8_000].join("+")).is_err());
}

#[test]
fn an_evaluation_ends_soon_whatever_it_asks_for() {
    let ten = "[1,2,3,4,5,6,7,8,9,10]";
    let loops = |end: &str, call: &str, depth: usize| {
        let inner = (0..depth).fold(end.to_string(), |inner, n| {
            format!("{ten}.{call}(x{n}, {inner})")
        });
        format!("size([{inner}]) > 0")
    };
    let doubled = format!("'aaaaaaaaaa'{}", ".with(x, x + x)".repeat(60));
    let sources = [
        loops("1", "map", 12),
        loops("1 == 2", "exists", 12),
        loops("1 == 1", "all", 12),
        loops("false", "filter", 12),
        doubled,
    ];
    for source in sources {
        let Ok(expression) = Expression::compile(&source) else {
            continue;
        };
        let start = Instant::now();
        let result = with_facts(|facts| expression.evaluate(facts));
        assert!(result.is_err(), "{source}");
        assert!(start.elapsed() < Duration::from_secs(5), "{source}");
    }
    // As deep as it may be, on the stack that a request has.
    let deep = (0..70).fold("1".to_string(), |inner, _| format!("[{inner}]"));
    assert!(evaluate(&format!("size({deep}) == 1")).is_ok());
    let chain = format!("size({}) > 0", vec!["request.path"; 70].join(" + "));
    assert_eq!(evaluate(&chain), Ok(json!(true)));
    let nested = (0..24).fold("x".to_string(), |inner, _| {
        format!("['a'].map(x, {inner})[0]")
    });
    assert!(evaluate(&nested).is_ok());
    let fine = format!("{ten}.map(x, {ten}.map(y, x * y)).size() == 10");
    assert_eq!(evaluate(&fine), Ok(json!(true)));
}

/// Pieces that make expressions more often than letters do.
fn pieces() -> impl Strategy<Value = String> {
    const PIECES: [&str; 48] = [
        "request",
        ".headers",
        "[",
        "]",
        "\"x-who\"",
        "'a'",
        "(",
        ")",
        "{",
        "}",
        ":",
        ",",
        "1",
        "2.5",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "<",
        "in",
        "&&",
        "||",
        "!",
        "?",
        "jwt",
        ".sub",
        "json",
        "request.body",
        ".map",
        ".with",
        ".exists",
        "x",
        "default",
        "has",
        "null",
        "true",
        "b'z'",
        ".?",
        "duration('9999999h')",
        "timestamp('9999-12-31T23:59:59Z')",
        "9223372036854775807",
        "string",
        "int",
        ".mapValues",
        "base64.decode",
        ".join",
    ];
    proptest::collection::vec(0..PIECES.len(), 0..14)
        .prop_map(|picks| picks.iter().map(|pick| PIECES[*pick]).collect())
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(source in any::<String>()) {
        let _ = Expression::compile(&source);
    }

    #[test]
    fn whatever_compiles_can_be_asked(source in pieces()) {
        if let Ok(expression) = Expression::compile(&source) {
            let start = Instant::now();
            let _ = with_facts(|facts| expression.evaluate(facts));
            let _ = expression.evaluate(&Facts::default());
            prop_assert!(start.elapsed() < Duration::from_secs(5));
        }
    }
}
