//! `ai.groups`: providers in groups, each with policies of its own (facts 4.4, 6).

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::ai;
use super::upstream::Upstream;
use crate::gateway::balance::PoolKey;
use crate::gateway::config::{Group, Member};
use crate::gateway::object::{World, dig, full_name, list, namespace};

/// The groups of a backend. A provider's own policies win over the backend's.
pub(super) fn read(world: &World, object: &Value, backend: &Upstream) -> Result<Group, String> {
    let groups = list(object, &["spec", "ai", "groups"]).iter();
    let groups = groups.map(|group| {
        let providers = list(group, &["providers"]).iter();
        let members = providers.map(|spec| member(world, namespace(object), spec, backend));
        members.collect::<Result<Vec<_>, _>>()
    });
    let members = groups.collect::<Result<Vec<_>, _>>()?;
    let mut print = DefaultHasher::new();
    dig(object, &["spec", "ai", "groups"])
        .to_string()
        .hash(&mut print);
    Ok(Group {
        key: PoolKey {
            owner: full_name(object).into(),
            print: print.finish(),
            sizes: members.iter().map(Vec::len).collect(),
        },
        members,
    })
}

fn member(world: &World, place: &str, spec: &Value, backend: &Upstream) -> Result<Member, String> {
    // The controller only warns of a policy that is broken here, and the provider goes out without it.
    let mut warnings = Vec::new();
    let own = Upstream::read(world, place, dig(spec, &["policies"]), &mut warnings);
    let merged = own.or(backend);
    if let Some(cause) = &merged.refused {
        return Err(cause.clone());
    }
    Ok(Member {
        provider: ai::provider(world, spec, &merged)?,
        timeout: merged.timeout(),
    })
}
