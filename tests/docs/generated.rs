//! Pages that are written by what they describe.

use super::docs;
use clap::CommandFactory;
use gatewright::cli::Cli;
use gatewright::diagnose::finding::Severity;
use gatewright::diagnose::rule;
use gatewright::profile::schema::schema;
use serde_json::Value;
use std::fs;

/// What stands at the top of each.
fn begin(title: &str, source: &str) -> String {
    format!(
        "# {title}\n\nGenerated from {source}; `GW_UPDATE=1 cargo test --test docs` writes it anew.\n"
    )
}

#[test]
fn the_page_of_commands_is_what_help_says() {
    let mut text = begin("Commands", "the command line's own types");
    // Fixed, so that a wide terminal writes the same page.
    let mut command = Cli::command().term_width(96);
    command.build();
    for verb in command.get_subcommands_mut().filter(|c| !c.is_hide_set()) {
        if verb.get_name() == "help" {
            continue;
        }
        describe(verb, "gw", 2, &mut text);
    }
    same("commands.md", &text);
}

fn describe(command: &mut clap::Command, parent: &str, level: usize, text: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    let help = command.render_long_help().to_string();
    // What the environment of the tester says must not stand in a page.
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!(
        "\n{} {name}\n\n```text\n{}\n```\n",
        "#".repeat(level),
        help.join("\n").trim_end()
    ));
    for verb in command.get_subcommands_mut() {
        if verb.get_name() != "help" {
            describe(verb, &name, level + 1, text);
        }
    }
}

#[test]
fn the_page_of_rules_is_what_the_rules_say() {
    let mut text = begin("Rules", "the rules of `gw debug`");
    text.push_str(
        "\nThe title is what holds when nothing is wrong. `gw explain CODE` tells the same.\n",
    );
    let mut count = 0;
    for rule in rule::all() {
        let story: Vec<&str> = rule.story.split_whitespace().collect();
        let title = rule.title;
        text.push_str(&format!("\n## {} {title}\n\n", rule.code));
        let severity = match rule.severity {
            Severity::Fail => "A failure",
            Severity::Warn => "A warning",
        };
        text.push_str(&format!("{severity}. {}\n", story.join(" ")));
        if !rule.explains.is_empty() {
            text.push_str(&format!("\nExplains {}.\n", rule.explains.join(", ")));
        }
        count += 1;
    }
    assert!(count > 50, "{count}");
    same("rules.md", &text);
}

#[test]
fn the_page_of_profiles_is_what_the_schema_says() {
    let schema = schema();
    let mut text = begin("Profiles", "the schema of profiles");
    text.push_str(
        "\n`a.b` is the field `b` of `a`, `a[]` stands for each item of a list, `*` for a name of your \
         own. A field in bold must be there.\n",
    );
    let (plain, rooms): (Vec<_>, Vec<_>) = fields(&schema)
        .into_iter()
        .partition(|field| fields(field.schema).is_empty());
    text.push_str("\n## The profile\n\n");
    table(&plain, &mut text);
    for field in rooms {
        let list = match field.schema.get("items") {
            Some(_) => "[]",
            None => "",
        };
        text.push_str(&format!(
            "\n## {}{list}\n\n{}.\n\n",
            field.name,
            field.about()
        ));
        table(&fields(field.schema), &mut text);
    }
    same("profile.md", &text);
}

/// A field of an object, by the schema.
struct Field<'a> {
    name: String,
    schema: &'a Value,
    required: bool,
}

impl Field<'_> {
    fn about(&self) -> &str {
        self.schema["description"].as_str().unwrap_or_default()
    }
}

/// The fields of an object, of a list's items, or of the values of a map.
fn fields(schema: &Value) -> Vec<Field<'_>> {
    let required: Vec<&str> = (schema["required"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    if let Some(properties) = schema["properties"].as_object() {
        let field = |(name, schema)| Field {
            name: String::clone(name),
            schema,
            required: required.contains(&name.as_str()),
        };
        return properties.iter().map(field).collect();
    }
    match (
        schema.get("items"),
        schema["additionalProperties"].as_object(),
    ) {
        (Some(items), _) => fields(items),
        (None, Some(_)) => vec![Field {
            name: "*".to_string(),
            schema: &schema["additionalProperties"],
            required: false,
        }],
        (None, None) => (schema["anyOf"].as_array().into_iter().flatten())
            .flat_map(fields)
            .collect(),
    }
}

fn table(fields: &[Field<'_>], text: &mut String) {
    text.push_str("| field | takes | meaning |\n|---|---|---|\n");
    rows("", fields, &mut Vec::new(), text);
}

fn rows<'a>(
    prefix: &str,
    all: &[Field<'a>],
    seen: &mut Vec<(String, &'a Value)>,
    text: &mut String,
) {
    /// A shorter one is told again rather than looked for.
    const LONG: usize = 3;
    for field in all {
        let name = format!("{prefix}{}", field.name);
        let mark = if field.required { "**" } else { "" };
        let inner = fields(field.schema);
        let before = seen.iter().find(|(_, schema)| *schema == field.schema);
        let takes = match before {
            Some((other, _)) => format!("as `{other}`"),
            None => takes(field.schema),
        };
        let about = field.about();
        text.push_str(&format!("| {mark}`{name}`{mark} | {takes} | {about} |\n"));
        if before.is_some() {
            continue;
        }
        if inner.len() >= LONG {
            seen.push((name.clone(), field.schema));
        }
        let list = match field.schema["items"]["properties"].is_object() {
            true => "[]",
            false => "",
        };
        rows(&format!("{name}{list}."), &inner, seen, text);
    }
}

/// What a value may be, in words.
fn takes(schema: &Value) -> String {
    let word = |value: &Value| format!("`{}`", value.as_str().unwrap_or_default());
    if let Some(one) = schema.get("const") {
        return word(one);
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(word).collect::<Vec<_>>().join(", ");
    }
    if let Some(ways) = schema["anyOf"].as_array() {
        return ways.iter().map(takes).collect::<Vec<_>>().join(", or ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let types = types.into_iter().map(|kind| match kind {
        "string"
            if schema["pattern"]
                .as_str()
                .is_some_and(|p| p.contains("h|m|s|ms")) =>
        {
            "a time, such as `30s`".to_string()
        }
        "string" => "text".to_string(),
        "boolean" => "`true` or `false`".to_string(),
        "integer" if schema["maximum"] == i32::MAX => format!("{} or more", schema["minimum"]),
        "integer" => format!("{} to {}", schema["minimum"], schema["maximum"]),
        "array" if schema["items"]["properties"].is_object() => "a list".to_string(),
        "array" => format!("a list of {}", takes(&schema["items"])),
        "null" => "nothing".to_string(),
        _ => "fields".to_string(),
    });
    let types: Vec<String> = types.collect();
    match types.is_empty() {
        true => "anything".to_string(),
        false => types.join(", or "),
    }
}

/// Compares a generated page with the one that is kept.
fn same(page: &str, text: &str) {
    let path = docs().join(page);
    if std::env::var_os("GW_UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/{page} is not up to date: GW_UPDATE=1 cargo test --test docs"
    );
}
