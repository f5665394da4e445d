//! One profile made from several: `extends` names those that it begins with.
//!
//! What a profile says itself wins. `target`, `release` and `gateway` are joined field by field;
//! `backends`, `routes`, `policies` and `tests` by the names of their items, and items of one name
//! again field by field, but for a backend of another kind and a policy with another rule, which
//! take the place of the other's; `manifests` add up. A field that is left empty takes the other's
//! away. Of several bases a later one wins. Names and descriptions are not inherited.

use super::problem::{Problem, quote};
use super::rule::RULES;
use super::wire;
use crate::yaml::{Data, Entry, Node, Span};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A text, what a person calls it, and the folder from which it names others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub origin: String,
    pub text: String,
    /// `None` where there is none: a shipped profile, standard input.
    pub folder: Option<PathBuf>,
}

/// Finds the text that a base's name means, as seen from the text that names it.
pub type Finder<'a> = &'a dyn Fn(&str, &Text) -> Result<Text, String>;

/// More are a mistake, or a way to keep us busy.
const MOST: usize = 32;
const ITEMS: [&str; 4] = ["backends", "routes", "policies", "tests"];
const MAPS: [&str; 3] = ["target", "release", "gateway"];
const KINDS: [&str; 3] = ["provider", "groups", "mcp"];

/// The first of the texts with all that it extends; the others are put behind it, so that a problem
/// finds its own.
pub fn assemble(texts: &mut Vec<Text>, find: Finder<'_>) -> Result<Node, Vec<Problem>> {
    one(texts, 0, &mut Vec::new(), find)
}

fn one(
    texts: &mut Vec<Text>,
    index: usize,
    above: &mut Vec<usize>,
    find: Finder<'_>,
) -> Result<Node, Vec<Problem>> {
    let mut own = wire::document(&texts[index].text, index)?;
    anchor(&mut own, &texts[index])?;
    let bases = bases(&own)?;
    above.push(index);
    let mut whole: Option<Node> = None;
    for (name, at) in bases {
        let wrong = |what: String, hint: &str| vec![Problem::new(at, "extends", what, hint)];
        let found = find(&name, &texts[index])
            .map_err(|why| wrong(why, "the name of a shipped profile, or the path of a file"))?;
        let around = above.iter().map(|index| texts[*index].origin.as_str());
        let around: Vec<&str> = around.collect();
        if around.contains(&found.origin.as_str()) {
            let way = [around.as_slice(), &[&found.origin]].concat().join(", ");
            return Err(wrong(
                format!("{} leads back to itself", quote(&name)),
                &format!("the way is {way}: leave one of them out"),
            ));
        }
        if texts.len() >= MOST {
            let what = format!("is more than {MOST} profiles in all");
            return Err(wrong(what, "join some of them"));
        }
        texts.push(found);
        let base = one(texts, texts.len() - 1, above, find)?;
        whole = Some(match whole {
            None => base,
            Some(before) => merged(before, base),
        });
    }
    above.pop();
    Ok(match whole {
        None => own,
        Some(base) => merged(without(base, &["name", "description"]), own),
    })
}

/// The names of what a profile extends, and where they stand.
fn bases(root: &Node) -> Result<Vec<(String, Span)>, Vec<Problem>> {
    let Some(node) = field(root, "extends") else {
        return Ok(Vec::new());
    };
    let wrong = |at| {
        let hint = "the name of a shipped profile, the path of a file, or a list of them";
        vec![Problem::new(at, "extends", "is no name of a profile", hint)]
    };
    let name = |node: &Node| match &node.data {
        Data::Scalar(Value::String(text)) if !text.trim().is_empty() => {
            Ok((text.clone(), node.span))
        }
        _ => Err(wrong(node.span)),
    };
    match &node.data {
        Data::List(items) => items.iter().map(name).collect(),
        Data::Scalar(Value::Null) => Ok(Vec::new()),
        Data::Scalar(_) => Ok(vec![name(node)?]),
        Data::Map(_) => Err(wrong(node.span)),
    }
}

/// Paths of manifests are meant from the file that names them.
fn anchor(root: &mut Node, text: &Text) -> Result<(), Vec<Problem>> {
    let Data::Map(entries) = &mut root.data else {
        return Ok(());
    };
    let manifests = entries.iter_mut().filter(|entry| entry.key == "manifests");
    for entry in manifests {
        let Data::List(items) = &mut entry.value.data else {
            continue;
        };
        for item in items {
            let Data::Scalar(Value::String(path)) = &mut item.data else {
                continue;
            };
            if Path::new(path.as_str()).is_absolute() {
                continue;
            }
            let Some(folder) = &text.folder else {
                let what = format!("{} is a path from nowhere", quote(path));
                let hint = "this text lies in no folder: write the whole path";
                return Err(vec![Problem::new(item.span, "manifests", what, hint)]);
            };
            *path = folder.join(path.as_str()).to_string_lossy().into_owned();
        }
    }
    Ok(())
}

fn field<'a>(root: &'a Node, name: &str) -> Option<&'a Node> {
    match &root.data {
        Data::Map(entries) => entries
            .iter()
            .find(|entry| entry.key == name)
            .map(|entry| &entry.value),
        Data::List(_) | Data::Scalar(_) => None,
    }
}

fn without(mut node: Node, names: &[&str]) -> Node {
    if let Data::Map(entries) = &mut node.data {
        entries.retain(|entry| !names.contains(&entry.key.as_str()));
    }
    node
}

/// Two whole profiles.
fn merged(base: Node, own: Node) -> Node {
    joined(base, own, |name, base, own| match name {
        name if ITEMS.contains(&name) => by_name(base, own, name),
        name if MAPS.contains(&name) => joined(base, own, |_, _, own| own),
        "manifests" => both(base, own),
        _ => own,
    })
}

/// Two maps; of fields that both have, `choose` says what becomes.
fn joined(base: Node, own: Node, choose: impl Fn(&str, Node, Node) -> Node) -> Node {
    let span = own.span;
    let (mut fields, others) = match (base.data, own.data) {
        (Data::Map(base), Data::Map(own)) => (base, own),
        // What is no map is told by whoever reads it.
        (_, data) => return Node { data, span },
    };
    for other in others {
        match fields.iter().position(|entry| entry.key == other.key) {
            None => fields.push(other),
            Some(at) if other.value.data == Data::Scalar(Value::Null) => {
                fields.remove(at);
            }
            Some(at) => {
                let before = fields.remove(at);
                let value = choose(&other.key, before.value, other.value);
                fields.insert(at, Entry { value, ..other });
            }
        }
    }
    Node {
        data: Data::Map(fields),
        span,
    }
}

fn by_name(base: Node, own: Node, list: &str) -> Node {
    let span = own.span;
    let (mut items, others) = match (base.data, own.data) {
        (Data::List(base), Data::List(own)) => (base, own),
        (_, data) => return Node { data, span },
    };
    for other in others {
        let named = name(&other);
        let same = |item: &Node| named.is_some() && name(item) == named;
        match items.iter().position(same) {
            None => items.push(other),
            Some(at) => {
                let before = items.remove(at);
                items.insert(at, item(before, other, list));
            }
        }
    }
    Node {
        data: Data::List(items),
        span,
    }
}

/// Two items of one name.
fn item(base: Node, own: Node, list: &str) -> Node {
    match list {
        "backends" => {
            let other_kind = KINDS
                .iter()
                .filter_map(|kind| field(&own, kind).map(|value| (kind, value)))
                .any(|(kind, value)| {
                    field(&base, kind).is_none_or(|before| before.data != value.data)
                });
            match other_kind {
                true => own,
                false => joined(base, own, |_, _, own| own),
            }
        }
        "policies" => {
            let ruled = RULES.iter().any(|rule| field(&own, rule).is_some());
            let base = match ruled {
                true => without(base, &RULES),
                false => base,
            };
            joined(base, own, |_, _, own| own)
        }
        _ => joined(base, own, |_, _, own| own),
    }
}

/// A route without a name is called like its backend.
fn name(item: &Node) -> Option<&str> {
    let named = field(item, "name").or_else(|| field(item, "backend"))?;
    match &named.data {
        Data::Scalar(Value::String(text)) => Some(text),
        Data::Scalar(_) | Data::List(_) | Data::Map(_) => None,
    }
}

fn both(base: Node, own: Node) -> Node {
    let span = own.span;
    match (base.data, own.data) {
        (Data::List(base), Data::List(own)) => Node {
            data: Data::List(base.into_iter().chain(own).collect()),
            span,
        },
        (_, data) => Node { data, span },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::to_json;
    use serde_json::json;

    const HEAD: &str = "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\n";

    /// `a` extends what its text says; the others are found by their names.
    fn assembled(texts: &[(&str, &str)]) -> Result<Value, Vec<String>> {
        let text = |(name, text): &(&str, &str)| Text {
            origin: name.to_string(),
            text: format!("{HEAD}name: {name}\n{text}"),
            folder: Some(PathBuf::from("/f")),
        };
        let all: Vec<Text> = texts.iter().map(text).collect();
        let find = |name: &str, _: &Text| {
            let found = all.iter().find(|text| text.origin == name).cloned();
            found.ok_or_else(|| format!("there is no profile `{name}`"))
        };
        let mut used = vec![all[0].clone()];
        match assemble(&mut used, &find) {
            Ok(node) => Ok(to_json(&node)),
            Err(problems) => {
                let told = |p: &Problem| format!("{}:{} {}", used[p.file].origin, p.line, p.what);
                Err(problems.iter().map(told).collect())
            }
        }
    }

    #[test]
    fn maps_are_joined_by_field_and_lists_by_name() {
        let base = "gateway: {port: 8081, name: gw}\nbackends:\n- {name: x, provider: ollama, model: m}\n- {name: y, provider: mock}\n\
                    policies:\n- {name: p, routes: [x], timeout: 3s}\nmanifests: [b.yaml]\n";
        let own = "extends: b\ngateway: {port: 8082}\nbackends:\n- {name: x, model: n}\n- {name: y, provider: openai}\n- {name: z, provider: mock}\n\
                   policies:\n- {name: p, csrf: {}}\nmanifests: [a.yaml]\n";
        let whole = assembled(&[("a", own), ("b", base)]).unwrap();
        assert_eq!(whole["name"], "a");
        assert_eq!(whole["gateway"], json!({"port": 8082, "name": "gw"}));
        assert_eq!(
            whole["backends"],
            json!([{"name": "x", "provider": "ollama", "model": "n"}, {"name": "y", "provider": "openai"}, {"name": "z", "provider": "mock"}])
        );
        assert_eq!(
            whole["policies"],
            json!([{"name": "p", "routes": ["x"], "csrf": {}}])
        );
        assert_eq!(whole["manifests"], json!(["/f/b.yaml", "/f/a.yaml"]));
    }

    #[test]
    fn an_empty_field_takes_the_bases_away_and_a_later_base_wins() {
        let own = "extends: [b, c]\ntarget:\n";
        let texts = [
            ("a", own),
            ("b", "target: {kind: kind}\ngateway: {port: 1}\n"),
            ("c", "gateway: {port: 2}\n"),
        ];
        let whole = assembled(&texts).unwrap();
        assert_eq!(whole.get("target"), None);
        assert_eq!(whole["gateway"], json!({"port": 2}));
    }

    #[test]
    fn a_circle_is_told_with_the_line_that_closes_it() {
        let texts = [("a", "extends: b\n"), ("b", "description: d\nextends: a\n")];
        assert_eq!(
            assembled(&texts),
            Err(vec!["b:5 `a` leads back to itself".to_string()])
        );
        let alone = [("a", "extends: a\n")];
        assert!(assembled(&alone).is_err());
    }

    #[test]
    fn what_is_not_there_and_what_is_no_name_are_told_with_their_line() {
        let told = |text: &str| assembled(&[("a", text)]).unwrap_err();
        assert_eq!(told("extends: x\n"), ["a:4 there is no profile `x`"]);
        assert_eq!(told("extends: {}\n"), ["a:4 is no name of a profile"]);
        assert_eq!(told("extends: [1]\n"), ["a:4 is no name of a profile"]);
    }

    #[test]
    fn a_profile_that_two_bases_share_is_no_circle() {
        let texts = [
            ("a", "extends: [b, c]\n"),
            ("b", "extends: d\n"),
            ("c", "extends: d\n"),
            ("d", "gateway: {port: 7}\n"),
        ];
        assert_eq!(assembled(&texts).unwrap()["gateway"]["port"], 7);
    }
}
