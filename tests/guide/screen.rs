//! The guide's screen on every machine that is recorded, by golden files: narrow and wide, with colour
//! and without.

use gatewright::error::Error;
use gatewright::host::facts::Facts;
use gatewright::plan::build::build;
use gatewright::plan::select::{KeyState, Services};
use gatewright::profile::wire;
use gatewright::report::style::Look;
use gatewright::report::{guide, machine};
use gatewright::target::choose::Asked;
use gatewright::target::place::DEFAULT_CLUSTER;
use gatewright::target::propose::offer::{judged, of_keys, of_services};
use gatewright::target::propose::{Answers, Known, elsewhere, propose, services};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A machine, and what providers said of its keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    facts: Facts,
    /// Backends whose key was taken.
    #[serde(default)]
    taken: Vec<String>,
    /// Why others were not, by backend.
    #[serde(default)]
    lacking: BTreeMap<String, String>,
    /// Variables that are no secret.
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

impl Case {
    fn states(&self) -> BTreeMap<String, KeyState> {
        let here = |name: &String| {
            let state = KeyState::Here {
                entries: vec!["Authorization".to_string()],
                from: "environment".to_string(),
                note: None,
            };
            (name.clone(), state)
        };
        let lacking = self.lacking.iter();
        let lacking = lacking
            .map(|(name, what)| (name.clone(), KeyState::Lacking(Error::usage(what, "gw up"))));
        self.taken.iter().map(here).chain(lacking).collect()
    }

    fn screen(&self, width: usize, look: Look) -> String {
        let services = Services {
            found: services(&self.facts),
            elsewhere: elsewhere(&self.facts),
            mock_port: 18434,
            settings: self.settings.clone(),
            keys: self.states(),
            ..Services::default()
        };
        let mut offers = of_services(&self.facts.services);
        offers.extend(of_keys(&self.facts.keys));
        let known = Known {
            facts: self.facts.clone(),
            offers: judged(offers, &services),
            asked: Asked {
                own: DEFAULT_CLUSTER.to_string(),
                ..Asked::default()
            },
            usual_cluster: DEFAULT_CLUSTER.to_string(),
            last_port: None,
        };
        let proposal = propose(&known, &Answers::default()).expect("a proposal");
        let profile = wire::read(&proposal.document).expect("a profile");
        let plan = build(&profile, proposal.place.kind(), "default", &services).expect("a plan");
        let found = machine::found(&self.facts, None, width, look).join("\n");
        let plan = guide::plan(&proposal, &plan, width, look);
        let question = look.bold(guide::QUESTION);
        format!("{found}\n\n{plan}{question}\n\n{}", proposal.document)
    }
}

fn cases() -> Vec<(PathBuf, Case)> {
    let of = |folder: &str, read: fn(&str) -> Case| {
        let files = fs::read_dir(folder).expect(folder);
        let files = files.map(|file| file.expect("file").path());
        let files = files.filter(|path| path.extension().is_some_and(|e| e == "json"));
        let case = |path: PathBuf| {
            let text = fs::read_to_string(&path).expect("text");
            (
                Path::new("tests/guide").join(path.file_stem().expect("name")),
                read(&text),
            )
        };
        files.map(case).collect::<Vec<_>>()
    };
    // Machines are recorded without what providers say: their keys are taken.
    let bare = |text: &str| {
        let facts: Facts = serde_json::from_str(text).expect("facts");
        let offers = of_keys(&facts.keys).into_iter();
        Case {
            taken: offers.map(|offer| offer.name).collect(),
            lacking: BTreeMap::new(),
            settings: BTreeMap::new(),
            facts,
        }
    };
    let mut cases = of("tests/guide", |text| {
        serde_json::from_str(text).expect("case")
    });
    cases.extend(of("tests/machines", bare));
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

#[test]
fn every_machine_gets_the_recorded_proposal_and_no_line_is_longer_than_the_terminal() {
    let cases = cases();
    assert!(cases.len() > 10);
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    for (path, case) in &cases {
        for (form, width, colour) in [("80", 79, false), ("200", 199, false), ("colour", 79, true)]
        {
            let look = Look {
                terminal: true,
                colour,
            };
            let screen = case.screen(width, look);
            let golden = path.with_extension(format!("{form}.txt"));
            if update {
                fs::write(&golden, &screen).expect("golden written");
            }
            let expected = fs::read_to_string(&golden).unwrap_or_default();
            assert_eq!(screen, expected, "{golden:?}");
            let shown = screen.split("\n# What").next().unwrap_or_default();
            let long = |line: &&str| console::measure_text_width(line) > width;
            assert_eq!(shown.lines().find(long), None, "{golden:?}");
            let lines = shown.lines().count();
            assert!(lines <= 24, "{golden:?}: {lines} lines");
        }
    }
}
