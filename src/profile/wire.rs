//! The written form, `gatewright.dev/v1alpha1`: from text to a profile.

use super::extend::{Text, assemble};
use super::field::{Field, Fields, Notes};
use super::problem::{Problem, quote};
use super::value::{filled, name};
use super::{Profile, backend, policy, release, route, shipped, test};
use crate::yaml::{self, Data, Node, Span};
use serde_json::Value;

/// The version of the written form that this program reads and writes.
pub const API_VERSION: &str = "gatewright.dev/v1alpha1";
pub const KIND: &str = "Profile";

/// Groups of objects that the embedded gateway is made of.
const SERVED: [&str; 2] = ["gateway.networking.k8s.io", "agentgateway.dev"];

pub(super) const KNOWN: [&str; 13] = [
    "apiVersion",
    "kind",
    "name",
    "description",
    "extends",
    "target",
    "release",
    "gateway",
    "backends",
    "routes",
    "policies",
    "manifests",
    "tests",
];

/// Reads a profile, or says everything that is wrong with it. It may extend shipped ones only.
pub fn read(text: &str) -> Result<Profile, Vec<Problem>> {
    let text = Text {
        origin: String::new(),
        text: text.to_string(),
        folder: None,
    };
    of(&assemble(&mut vec![text], &shipped::base)?)
}

/// The one document of a text, if it says that it is a profile.
pub fn document(text: &str, file: usize) -> Result<Node, Vec<Problem>> {
    let marked = |mut problem: Problem| {
        problem.file = file;
        vec![problem]
    };
    let documents = yaml::read(text).map_err(|error| {
        let (what, hint) = in_words(&error.what);
        marked(Problem::new(error.at, "", what, hint))
    })?;
    let document = only(&documents).map_err(marked)?.clone().in_file(file);
    // A base that is something else would be hidden by what the profile says itself.
    if file > 0 {
        let notes = Notes::default();
        let header = Field::root(&document, &notes).any_fields();
        let ours = header.is_none_or(|header| {
            is_ours(&header, "apiVersion", API_VERSION) && is_ours(&header, "kind", KIND)
        });
        let problems = notes.into_problems();
        if !ours || !problems.is_empty() {
            return Err(problems);
        }
    }
    Ok(document)
}

/// The profile of a document.
pub fn of(document: &Node) -> Result<Profile, Vec<Problem>> {
    let notes = Notes::default();
    let profile = profile(&Field::root(document, &notes));
    match (profile, notes.into_problems()) {
        (Some(profile), problems) if problems.is_empty() => Ok(profile),
        (_, problems) => Err(problems),
    }
}

/// The kind of the first object, where a text holds what `gw serve` takes instead of a profile.
pub fn first_object(text: &str) -> Option<String> {
    let documents = yaml::read(text).ok()?;
    let objects: Vec<Value> = documents.iter().map(yaml::to_json).collect();
    let is_served = |object: &Value| {
        let group = object["apiVersion"]
            .as_str()
            .and_then(|version| version.split_once('/'));
        group.is_some_and(|(group, _)| SERVED.contains(&group))
    };
    let is_ours = |object: &Value| object["apiVersion"] == API_VERSION;
    if objects.iter().any(is_ours) || !objects.iter().any(is_served) {
        return None;
    }
    let kind = objects.iter().find_map(|object| object["kind"].as_str())?;
    Some(kind.to_string())
}

fn only(documents: &[Node]) -> Result<&Node, Problem> {
    let start = Span {
        line: 1,
        start: 1,
        end: 2,
        ..Span::default()
    };
    match documents {
        [] => Err(nothing(start)),
        [only] => match &only.data {
            Data::Map(_) => Ok(only),
            Data::Scalar(Value::Null) => Err(nothing(start)),
            Data::Scalar(_) | Data::List(_) => Err(nothing(only.span)),
        },
        [_, second, ..] => {
            let what = "a second document begins here";
            Err(Problem::new(
                second.span,
                "",
                what,
                "a file has one profile",
            ))
        }
    }
}

fn nothing(at: Span) -> Problem {
    let what = "there is no profile in it";
    Problem::new(
        at,
        "",
        what,
        format!("a profile begins with `apiVersion: {API_VERSION}`"),
    )
}

/// Something of another kind gets one answer, not one for each of its fields.
fn profile(root: &Field) -> Option<Profile> {
    let header = root.any_fields()?;
    let version = is_ours(&header, "apiVersion", API_VERSION);
    let kind = is_ours(&header, "kind", KIND);
    if !version || !kind {
        return None;
    }
    let fields = root.fields(&KNOWN)?;
    let named = fields.need("name", "for example `name: mine`");
    let name = named.map(|field| name(&field, 63)).unwrap_or_default();
    let description = fields.get("description").and_then(|field| field.text());
    let gateway = release::gateway(&fields);
    let backends = backend::backends(&fields, &gateway);
    let routes = route::routes(&fields, &backends);
    Some(Profile {
        name,
        description: description.unwrap_or_default().to_string(),
        target: release::target(&fields),
        release: release::release(&fields),
        policies: policy::policies(&fields, &routes),
        manifests: manifests(&fields),
        tests: test::tests(&fields, &routes),
        gateway,
        backends,
        routes,
    })
}

/// Files and folders of objects.
fn manifests(root: &Fields) -> Vec<String> {
    let items = root.get("manifests").map(|field| field.items());
    let items = items.unwrap_or_default();
    let path = |item: &Field| filled(item).map(str::to_string);
    items.iter().filter_map(path).collect()
}

/// Whether a field says that this is a profile; one that is missing is noted and taken for ours.
fn is_ours(header: &Fields, name: &str, ours: &str) -> bool {
    let hint = format!("write `{name}: {ours}`");
    let Some(field) = header.need(name, &hint) else {
        return true;
    };
    match field.text() {
        Some(text) if text == ours => true,
        Some(text) => {
            field.wrong(format!("{} is not what gw reads", quote(text)), hint);
            false
        }
        None => false,
    }
}

/// What a complaint of the parser usually means, and what to do about it.
fn in_words(complaint: &str) -> (&str, &str) {
    const INDENT: &str = "is the line indented as far as its neighbours?";
    const CAUSES: [(&str, &str, &str); 9] = [
        (
            "mapping values are not allowed",
            "a `: ` is not expected here",
            "quote a value with `: ` in it, or indent the line as its neighbours",
        ),
        ("tab", "a tab is not indentation", "indent with blanks"),
        ("twice", "", "keep one of them"),
        ("expected key", "a key is expected here", INDENT),
        ("'-' indicator", "a `- ` is expected here", INDENT),
        (
            "flow mapping",
            "a map in braces has no end here",
            "a comma or `}` is missing",
        ),
        (
            "flow sequence",
            "a list in brackets has no end here",
            "a comma or `]` is missing",
        ),
        (
            "quoted scalar",
            "a string in quotes is not closed or not indented",
            "close it",
        ),
        ("indentation", "", INDENT),
    ];
    match CAUSES.iter().find(|(part, ..)| complaint.contains(part)) {
        Some((_, "", hint)) => (complaint, hint),
        Some((_, what, hint)) => (what, hint),
        None => (complaint, ""),
    }
}
