//! The profiles that are part of the program.

use super::extend::Text;
use super::problem::quote;
use super::suggest::among;
use super::wire::read;

/// A profile as it lies in the folder `profiles/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    pub name: &'static str,
    /// The text with its comments.
    pub text: &'static str,
}

const SHIPPED: [Shipped; 9] = [
    Shipped {
        name: "default",
        text: include_str!("../../profiles/default.yaml"),
    },
    Shipped {
        name: "ollama",
        text: include_str!("../../profiles/ollama.yaml"),
    },
    Shipped {
        name: "cloud",
        text: include_str!("../../profiles/cloud.yaml"),
    },
    Shipped {
        name: "all",
        text: include_str!("../../profiles/all.yaml"),
    },
    Shipped {
        name: "mcp",
        text: include_str!("../../profiles/mcp.yaml"),
    },
    Shipped {
        name: "limits",
        text: include_str!("../../profiles/limits.yaml"),
    },
    Shipped {
        name: "extproc",
        text: include_str!("../../profiles/extproc.yaml"),
    },
    Shipped {
        name: "mock",
        text: include_str!("../../profiles/mock.yaml"),
    },
    Shipped {
        name: "ci",
        text: include_str!("../../profiles/ci.yaml"),
    },
];

impl Shipped {
    fn whole(&self) -> Text {
        Text {
            origin: self.name.to_string(),
            text: self.text.to_string(),
            folder: None,
        }
    }

    /// For whom the profile is, in one sentence.
    pub fn description(&self) -> String {
        // A test keeps every shipped profile readable.
        read(self.text).map_or_else(|_| String::new(), |profile| profile.description)
    }
}

/// Every shipped profile, the default one first.
pub fn shipped() -> &'static [Shipped] {
    &SHIPPED
}

/// The shipped profile of this name.
pub fn named(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

/// The shipped profile that another one extends by this name.
pub fn base(name: &str, by: &Text) -> Result<Text, String> {
    match named(name) {
        Some(shipped) => Ok(shipped.whole()),
        None if by.folder.is_none() && by.origin.is_empty() => {
            Err(format!("{} is not a shipped profile", quote(name)))
        }
        None => {
            let names: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.name).collect();
            let what = format!("there is no profile {}", quote(name));
            Err(format!("{what}: {}", among(name, &names)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Policy, Rule};

    #[test]
    fn every_shipped_profile_loads_under_its_own_name_and_says_for_whom_it_is() {
        for shipped in shipped() {
            let profile = read(shipped.text).expect(shipped.name);
            assert_eq!(profile.name, shipped.name);
            assert!(shipped.text.starts_with("# For "), "{}", shipped.name);
            assert!(!shipped.description().is_empty());
        }
    }

    #[test]
    fn every_shipped_profile_refuses_requests_of_other_sites() {
        for shipped in shipped() {
            let profile = read(shipped.text).expect(shipped.name);
            let csrf = |p: &Policy| matches!(p.rule, Rule::Csrf { .. }) && p.routes.is_empty();
            assert!(profile.policies.iter().any(csrf), "{}", shipped.name);
        }
    }
}
