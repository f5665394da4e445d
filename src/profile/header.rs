//! Changes to the headers of a request.

use super::Headers;
use super::field::Field;
use super::problem::quote;
use std::collections::HashMap;

const KNOWN: [&str; 3] = ["set", "add", "remove"];
const NAME: &str = "a header's name has letters, digits and `-`";

/// What a route does to headers. One name in two of the lists would make the outcome a matter of
/// order, so it is refused.
pub fn headers(field: &Field) -> Headers {
    let Some(fields) = field.fields(&KNOWN) else {
        return Headers::default();
    };
    let mut seen = HashMap::new();
    let mut pairs = |name: &str| {
        let pairs = fields.get(name).map(|field| field.pairs());
        let pairs = pairs.unwrap_or_default().into_iter();
        pairs
            .map(|(key, field)| {
                check_name(&field, &key.key, &mut seen);
                (key.key.clone(), header_value(&field))
            })
            .collect()
    };
    let (set, add) = (pairs("set"), pairs("add"));
    let remove = fields.get("remove").map(|field| field.items());
    let remove = remove.unwrap_or_default().into_iter().map(|field| {
        let name = field.text().unwrap_or_default();
        if !name.is_empty() {
            check_name(&field, name, &mut seen);
        }
        name.to_string()
    });
    let remove = remove.collect();
    Headers { set, add, remove }
}

fn check_name(field: &Field, name: &str, seen: &mut HashMap<String, String>) {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || name.len() > 256 || !name.chars().all(token) {
        field.wrong(format!("{} is not the name of a header", quote(name)), NAME);
    } else if let Some(other) = seen.insert(name.to_lowercase(), field.path.clone()) {
        field.wrong(
            format!("{} is changed by `{other}` too", quote(name)),
            "change a header once; capital letters make no other header",
        );
    }
}

fn header_value(field: &Field) -> String {
    let Some(text) = field.text() else {
        return String::new();
    };
    if text.is_empty() || text.len() > 4096 || text.contains(char::is_control) {
        field.wrong(
            "is not the value of a header",
            "one line of 1 to 4096 characters; to drop a header name it in `remove`",
        );
    }
    text.to_string()
}
