//! Held against what viewers do: the schema of Jenkins' xUnit plugin
//! (jenkinsci/xunit-plugin, `types/model/xsd/junit-10.xsd`), GitLab's `lib/gitlab/ci/parsers/test/junit.rb`
//! and dorny/test-reporter's `java-junit-parser.ts`.

use super::*;
use crate::verify::check::Finding;
use proptest::prelude::*;
use regex::Regex;
use std::time::Duration;

type Words = &'static [&'static str];

/// Of each element: where it may stand, which attributes it must have, and which it may have besides.
const SCHEMA: [(&str, Words, Words, Words); 5] = [
    (
        "testsuites",
        &[],
        &[],
        &["name", "time", "tests", "failures", "errors"],
    ),
    (
        "testsuite",
        &["testsuites", "testsuite"],
        &["name", "tests", "failures", "errors"],
        &["time", "skipped", "timestamp", "hostname", "id", "package"],
    ),
    (
        "testcase",
        &["testsuite"],
        &["name"],
        &["time", "classname"],
    ),
    ("failure", &["testcase"], &[], &["type", "message"]),
    ("skipped", &["testcase"], &[], &["type", "message"]),
];

/// An element's name, its attributes, and the text in it.
type Element = (String, Vec<(String, String)>, String);

/// Reads a document strictly: as the schema has it, or not at all.
fn read(document: &str) -> Result<Vec<Element>, String> {
    let tags = Regex::new(r#"<(/?)([a-z]+)((?: [a-z]+="[^"<>]*")*)(/?)>"#).unwrap();
    let pairs = Regex::new(r#" ([a-z]+)="([^"]*)""#).unwrap();
    let time = Regex::new(r"^[0-9]*(\.[0-9]*)?$").unwrap();
    let rest = document.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let rest = rest.ok_or("no declaration")?;
    let (mut found, mut open, mut at) = (Vec::<Element>::new(), Vec::<usize>::new(), 0);
    for tag in tags.captures_iter(rest) {
        let whole = tag.get(0).unwrap();
        let between = text(&rest[at..whole.start()])?;
        at = whole.end();
        let inside = open.last().map(|at| found[*at].0.clone());
        match (open.last(), inside.as_deref()) {
            (Some(last), Some("failure" | "skipped")) => found[*last].2.push_str(&between),
            _ if between.trim().is_empty() => {}
            _ => return Err(format!("text where none may be: {between:?}")),
        }
        let name = tag[2].to_string();
        if &tag[1] == "/" {
            match open.pop() {
                Some(last) if found[last].0 == name => continue,
                _ => return Err(format!("{name} is closed and not open")),
            }
        }
        let rule = SCHEMA.iter().find(|rule| rule.0 == name);
        let (_, parents, must, may) = rule.ok_or(format!("no element {name}"))?;
        if !inside.map_or(parents.is_empty(), |inside| {
            parents.contains(&inside.as_str())
        }) {
            return Err(format!("{name} may not stand here"));
        }
        let mut attributes = Vec::new();
        for pair in pairs.captures_iter(&tag[3]) {
            attributes.push((pair[1].to_string(), text(&pair[2])?));
        }
        for (attribute, value) in &attributes {
            let known = must.contains(&attribute.as_str()) || may.contains(&attribute.as_str());
            if !known || (attribute == "time" && !time.is_match(value)) {
                return Err(format!("{name} has {attribute}={value}"));
            }
        }
        let has = |wanted: &&&str| attributes.iter().any(|(name, _)| name == **wanted);
        if let Some(lacking) = must.iter().find(|wanted| !has(wanted)) {
            return Err(format!("{name} has no {lacking}"));
        }
        found.push((name, attributes, String::new()));
        if &tag[4] != "/" {
            open.push(found.len() - 1);
        }
    }
    match open.is_empty() && rest[at..].trim().is_empty() {
        true => Ok(found),
        false => Err("it does not end".to_string()),
    }
}

/// Character data: entities taken back, and nothing that XML 1.0 can't hold.
fn text(raw: &str) -> Result<String, String> {
    let is_char = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let entity = Regex::new("&(amp|lt|gt|quot|#9|#10|#13);").unwrap();
    let bare = entity.replace_all(raw, "");
    match bare.contains(['&', '<', '>', '\r']) || !raw.chars().all(is_char) {
        true => Err(format!("not well-formed: {raw:?}")),
        false => {
            let said = [
                ("&lt;", "<"),
                ("&gt;", ">"),
                ("&quot;", "\""),
                ("&#9;", "\t"),
            ];
            let said = said
                .into_iter()
                .chain([("&#10;", "\n"), ("&#13;", "\r"), ("&amp;", "&")]);
            Ok(said.fold(raw.to_string(), |text, (from, to)| text.replace(from, to)))
        }
    }
}

fn finding(verdict: Verdict, said: &str) -> Finding {
    Finding {
        id: "route.a".into(),
        title: format!("/a answers a POST {said}"),
        sort: "answer".into(),
        verdict,
        summary: said.to_string(),
        next: (verdict == Verdict::Fail).then(|| "gw logs".to_string()),
        seconds: 1234.5,
        facts: vec![("answered".into(), said.to_string())],
        request: None,
        route: None,
    }
}

fn document(findings: &[Finding]) -> String {
    write(&Report {
        environment: "default",
        base: "http://localhost:8080",
        findings,
        cost: 0.0,
        cap: 0.01,
        others: &[],
        took: Duration::from_secs(2),
    })
}

fn attribute<'a>(element: &'a Element, name: &str) -> &'a str {
    let found = element.1.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value)
}

#[test]
fn a_report_is_what_the_schema_of_jenkins_takes() {
    let all = [Verdict::Pass, Verdict::Warn, Verdict::Skip, Verdict::Fail];
    let document = document(&all.map(|verdict| finding(verdict, "why")));
    let read = read(&document).unwrap();
    let names: Vec<&str> = read.iter().map(|(name, ..)| name.as_str()).collect();
    let wanted = [
        "testsuites",
        "testsuite",
        "testcase",
        "testcase",
        "testcase",
        "skipped",
        "testcase",
        "failure",
    ];
    assert_eq!(names, wanted);
    let suite = &read[1];
    let counts = ["tests", "failures", "skipped"].map(|name| attribute(suite, name));
    assert_eq!(counts, ["4", "1", "1"]);
}

#[test]
fn the_text_of_a_failure_says_all_because_gitlab_shows_nothing_else() {
    let document = document(&[finding(Verdict::Fail, "503 from the proxy")]);
    let read = read(&document).unwrap();
    let failure = read.last().unwrap();
    assert_eq!(
        failure.2,
        "503 from the proxy\nanswered: 503 from the proxy\nnext: gw logs"
    );
    assert_eq!(attribute(failure, "message"), "503 from the proxy");
    // A suite without a time is not a number of seconds for dorny/test-reporter.
    assert_eq!(attribute(&read[1], "time"), "1234.500");
}

#[test]
fn what_xml_cannot_hold_is_left_out_and_the_rest_stays() {
    let long = "ä]]>".repeat(200_000);
    let bytes = String::from_utf8_lossy(b"\xff\xfe<a>\x00&\x1b[31m\"'\r\n]]>\xf0\x9f").into_owned();
    for said in [
        bytes.as_str(),
        "\u{fffe}\u{ffff}\u{1}x",
        long.as_str(),
        "]]>",
        "<![CDATA[",
    ] {
        let document = document(&[finding(Verdict::Fail, said), finding(Verdict::Skip, said)]);
        let read = read(&document).unwrap();
        let kept: String = said
            .chars()
            .filter(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..))
            .collect();
        assert_eq!(attribute(&read[3], "message"), kept);
    }
}

proptest! {
    #[test]
    fn whatever_a_server_answers_the_report_is_well_formed(said in any::<String>()) {
        let document = document(&[finding(Verdict::Fail, &said)]);
        prop_assert!(read(&document).is_ok(), "{:?}", read(&document));
    }
}
