//! The schema of profiles is what the reader takes. `UPDATE_GOLDEN=1 cargo test --test schema` writes
//! it anew.

use gatewright::profile::schema::{schema, text_of_schema};
use gatewright::profile::shipped::shipped;
use gatewright::profile::wire;
use gatewright::yaml;
use serde_json::Value;
use std::collections::BTreeSet;

const HEAD: &str = "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: s\n";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/profile.schema.json");

#[test]
fn the_file_beside_the_shipped_profiles_is_the_schema() {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(FILE, text_of_schema()).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        kept == text_of_schema(),
        "UPDATE_GOLDEN=1 cargo test --test schema"
    );
}

#[test]
fn every_shipped_profile_names_it() {
    for profile in shipped() {
        let line = "# yaml-language-server: $schema=./profile.schema.json\n";
        assert!(profile.text.contains(line), "{}", profile.name);
    }
}

/// A field that nobody knows, at every place: the reader answers with those that it knows.
#[test]
fn at_every_place_it_has_the_fields_that_the_reader_knows() {
    let backend = "backends:\n- {name: b, provider: mock}\n";
    let policy = |rule: &str| format!("{backend}policies:\n- {{name: p, {rule}}}\n");
    let at = "/properties/backends/items/properties";
    let ruled = "/properties/policies/items/properties";
    let places: Vec<(String, String)> = [
        ("zzz: 1\n".to_string(), "/properties".to_string()),
        (
            "target: {zzz: 1}\n".into(),
            "/properties/target/properties".into(),
        ),
        (
            "release: {zzz: 1}\n".into(),
            "/properties/release/properties".into(),
        ),
        (
            "release: {proxyImage: {zzz: 1}}\n".into(),
            "/properties/release/properties/proxyImage/properties".into(),
        ),
        (
            "gateway: {zzz: 1}\n".into(),
            "/properties/gateway/properties".into(),
        ),
        ("backends: [{zzz: 1}]\n".into(), at.into()),
        (
            "backends: [{name: b, provider: openai, key: {zzz: 1}}]\n".into(),
            format!("{at}/key/properties"),
        ),
        (
            "backends: [{name: b, mcp: {zzz: 1}}]\n".into(),
            format!("{at}/mcp/anyOf/1/properties"),
        ),
        (
            "backends: [{name: b, mcp: [{zzz: 1}]}]\n".into(),
            format!("{at}/mcp/anyOf/0/items/properties"),
        ),
        (
            format!("{backend}routes: [{{zzz: 1}}]\n"),
            "/properties/routes/items/properties".into(),
        ),
        (
            format!("{backend}routes: [{{backend: b, requestHeaders: {{zzz: 1}}}}]\n"),
            "/properties/routes/items/properties/requestHeaders/properties".into(),
        ),
        (policy("zzz: 1"), ruled.into()),
        (policy("csrf: {zzz: 1}"), format!("{ruled}/csrf/properties")),
        (
            policy("limit: {zzz: 1}"),
            format!("{ruled}/limit/properties"),
        ),
        (policy("cors: {zzz: 1}"), format!("{ruled}/cors/properties")),
        (
            policy("apiKeys: {zzz: 1}"),
            format!("{ruled}/apiKeys/properties"),
        ),
        (
            policy("apiKeys: {keys: {a: {zzz: 1}}}"),
            format!("{ruled}/apiKeys/properties/keys/additionalProperties/properties"),
        ),
        (
            policy("basic: {zzz: 1}"),
            format!("{ruled}/basic/properties"),
        ),
        (
            policy("basic: {users: {a: {zzz: 1}}}"),
            format!("{ruled}/basic/properties/users/additionalProperties/properties"),
        ),
        (policy("jwt: {zzz: 1}"), format!("{ruled}/jwt/properties")),
        (
            policy("promptGuard: {zzz: 1}"),
            format!("{ruled}/promptGuard/properties"),
        ),
        (
            policy("retry: {zzz: 1}"),
            format!("{ruled}/retry/properties"),
        ),
        (
            policy("extProc: {zzz: 1}"),
            format!("{ruled}/extProc/properties"),
        ),
        (
            format!("{backend}tests: [{{zzz: 1}}]\n"),
            "/properties/tests/items/properties".into(),
        ),
        (
            format!("{backend}tests: [{{name: t, route: b, path: /, expect: {{zzz: 1}}}}]\n"),
            "/properties/tests/items/properties/expect/properties".into(),
        ),
    ]
    .into();
    for (text, pointer) in places {
        let problems = wire::read(&format!("{HEAD}{text}")).expect_err(&text);
        let strange = problems
            .iter()
            .find(|p| p.what == "`zzz` is not a field here");
        let hint = &strange
            .unwrap_or_else(|| panic!("{text}: {problems:?}"))
            .hint;
        let known = hint.rsplit("known: ").next().unwrap();
        let known: BTreeSet<&str> = known.split(", ").collect();
        let schema = schema();
        let fields = schema.pointer(&pointer).and_then(Value::as_object);
        let fields = fields.unwrap_or_else(|| panic!("{pointer}"));
        let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(fields, known, "{pointer}");
    }
}

/// As much of JSON Schema as ours uses.
fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {value} by {schema}"));
    if let Some(any) = schema["anyOf"].as_array() {
        return match any.iter().any(|one| fits(one, value).is_ok()) {
            true => Ok(()),
            false => wrong("none of them"),
        };
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        return wrong("another constant");
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return wrong("not one of the words");
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::String(one) if one != kind => return wrong("another type"),
        Value::Array(several) if !several.iter().any(|one| one == kind) => {
            return wrong("another type");
        }
        _ => {}
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !regex::Regex::new(pattern).unwrap().is_match(text)
    {
        return wrong("no match");
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_u64(), value.as_u64())
        && (number < least || number > schema["maximum"].as_u64().unwrap())
    {
        return wrong("out of range");
    }
    for item in value.as_array().into_iter().flatten() {
        if !schema["items"].is_null() {
            fits(&schema["items"], item)?;
        }
    }
    let Some(fields) = value.as_object() else {
        return Ok(());
    };
    let required = schema["required"].as_array().into_iter().flatten();
    if required
        .into_iter()
        .any(|name| !fields.contains_key(name.as_str().unwrap()))
    {
        return wrong("a field is missing");
    }
    if fields.len() > schema["maxProperties"].as_u64().unwrap_or(u64::MAX) as usize {
        return wrong("too many fields");
    }
    for (name, field) in fields {
        match (
            schema["properties"].get(name),
            &schema["additionalProperties"],
        ) {
            (Some(known), _) => fits(known, field)?,
            (None, Value::Bool(false)) => return wrong("a strange field"),
            (None, other @ Value::Object(_)) => fits(other, field)?,
            (None, _) => {}
        }
    }
    Ok(())
}

#[test]
fn what_the_reader_takes_fits_it_and_what_nobody_takes_does_not() {
    let folder = std::fs::read_dir("tests/profiles").unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let valid = paths.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // A field that is left empty counts as absent, which a schema can't say briefly.
        name.starts_with("valid-") && name.ends_with(".yaml") && name != "valid-empty-fields.yaml"
    });
    let texts = valid.map(|path| std::fs::read_to_string(path).unwrap());
    let shipped = shipped().iter().map(|profile| profile.text.to_string());
    let mut count = 0;
    for text in texts.chain(shipped) {
        let value = yaml::read_values(&text).unwrap().remove(0);
        fits(&schema(), &value).unwrap_or_else(|why| panic!("{why}\n{text}"));
        count += 1;
    }
    assert!(count > 10);
    for text in [
        "zzz: 1\n",
        "gateway: {port: 80}\n",
        "backends: [{name: b, provider: olama}]\n",
        "backends: [{name: b, provider: openai, key: sk-1}]\n",
    ] {
        let value = yaml::read_values(&format!("{HEAD}{text}"))
            .unwrap()
            .remove(0);
        assert!(fits(&schema(), &value).is_err(), "{text}");
    }
}
