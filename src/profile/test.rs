//! The tests of a profile: a person's own proofs.

use super::field::{Field, Fields};
use super::value::{name, reference, refuse_twins};
use super::{Route, Test, path};
use crate::yaml;
use std::collections::BTreeMap;

const KNOWN: [&str; 6] = ["name", "route", "method", "path", "body", "expect"];
pub(super) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// The tests in the order of the text.
pub fn tests(root: &Fields, routes: &[Route]) -> Vec<Test> {
    let items = root.get("tests").map(|field| field.items());
    let items = items.unwrap_or_default();
    let known: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
    let mut names = Vec::new();
    let read = items.iter().map(|item| {
        let (test, named) = test(item, &known);
        names.push((named, test.name.clone()));
        test
    });
    let read = read.collect();
    refuse_twins("test name", &names);
    read
}

fn test<'a>(item: &Field<'a>, routes: &[&str]) -> (Test, Field<'a>) {
    let mut test = Test {
        name: String::new(),
        route: String::new(),
        method: "POST".to_string(),
        path: String::new(),
        body: None,
        status: 200,
        contains: None,
        headers: BTreeMap::new(),
        json: BTreeMap::new(),
    };
    let Some(fields) = item.fields(&KNOWN) else {
        return (test, item.clone());
    };
    let named = fields.need("name", "for example `answers-in-json`");
    if let Some(field) = &named {
        test.name = name(field, 63);
    }
    if let Some(field) = fields.need("route", "the name of one of the routes") {
        test.route = reference(&field, "route", routes);
    }
    if let Some(field) = fields.need("path", "under the route, such as `/v1/chat/completions`") {
        test.path = path::request(&field).unwrap_or_default();
    }
    if let Some(field) = fields.get("method") {
        let method = field.one_of("a method", &METHODS, method);
        test.method = method.unwrap_or_default().to_string();
    }
    test.body = fields.get("body").map(|field| yaml::to_json(field.node));
    if let Some(field) = fields.get("expect") {
        expect(&field, &mut test);
    }
    (test, named.unwrap_or_else(|| item.clone()))
}

fn method(text: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|method| *method == text)
}

fn expect(field: &Field, test: &mut Test) {
    let Some(fields) = field.fields(&["status", "contains", "headers", "json"]) else {
        return;
    };
    if let Some(field) = fields.get("status") {
        test.status = field.number("an HTTP status", 200, 599).unwrap_or_default();
    }
    for (entry, field) in fields
        .get("headers")
        .map(|field| field.pairs())
        .unwrap_or_default()
    {
        let value = field.text().unwrap_or_default();
        test.headers
            .insert(entry.key.to_lowercase(), value.to_string());
    }
    for (entry, field) in fields
        .get("json")
        .map(|field| field.pairs())
        .unwrap_or_default()
    {
        if !entry.key.starts_with('/') {
            let hint = "a place in JSON begins with `/`, such as `/choices/0/message/role`";
            field.wrong("is no place in JSON", hint);
        }
        test.json
            .insert(entry.key.clone(), yaml::to_json(field.node));
    }
    if let Some(field) = fields.get("contains") {
        test.contains = field.text().map(str::to_string);
        if test.contains.as_deref() == Some("") {
            field.wrong(
                "is an empty string",
                "every answer contains it: leave the field out",
            );
        }
    }
}
