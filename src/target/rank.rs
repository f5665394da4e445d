//! Which target, when nobody said: a pure function of what is there (architecture, decision 12).

use crate::profile::TargetKind;

/// What the choice depends on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Asked for by flag.
    pub flag: Option<TargetKind>,
    /// The environment's last target.
    pub last: Option<TargetKind>,
    /// Asked for by the profile.
    pub profile: Option<TargetKind>,
    /// Why Docker can't be used; `None` where it answers.
    pub docker: Option<String>,
    /// Whether our own kind cluster exists.
    pub own_cluster: bool,
}

/// The choice and its reason, for a person. A cluster is never created unasked.
pub fn choose(facts: &Facts) -> (TargetKind, String) {
    if let Some(kind) = facts.flag {
        return (kind, "asked for by --target".to_string());
    }
    if let Some(kind) = facts.last {
        return (kind, "this environment's last target".to_string());
    }
    if let Some(kind) = facts.profile {
        return (kind, "asked for by the profile".to_string());
    }
    if facts.own_cluster {
        return (TargetKind::Kind, "our kind cluster is there".to_string());
    }
    let why = match &facts.docker {
        Some(reason) => format!("no cluster: {reason}"),
        None => {
            "no cluster of ours is there, and none is created unasked (--target kind creates one)"
                .to_string()
        }
    };
    (TargetKind::Embedded, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_wins_over_what_is_found() {
        let nothing = Facts::default();
        assert_eq!(choose(&nothing).0, TargetKind::Embedded);
        let cluster = Facts {
            own_cluster: true,
            ..nothing
        };
        assert_eq!(choose(&cluster).0, TargetKind::Kind);
        let last = Facts {
            last: Some(TargetKind::Embedded),
            ..cluster
        };
        assert_eq!(choose(&last).0, TargetKind::Embedded);
        let flag = Facts {
            flag: Some(TargetKind::Kind),
            ..last
        };
        assert_eq!(choose(&flag).0, TargetKind::Kind);
    }

    #[test]
    fn an_embedded_gateway_says_why_it_is_no_cluster() {
        let facts = Facts {
            docker: Some("Docker does not answer".into()),
            ..Facts::default()
        };
        assert_eq!(choose(&facts).1, "no cluster: Docker does not answer");
    }
}
