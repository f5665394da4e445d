//! The way back: spec, labels and annotations as they were before a fix, byte for byte.

use super::memory::Entry;
use super::perform::{Work, live, scale};
use crate::cluster::client::refused;
use crate::cluster::object::{self, delete};
use crate::error::Result;
use crate::host::process::Background;
use crate::plan::Action;
use crate::plan::outcome::{Undone, Wire};
use crate::plan::thing::Thing;
use crate::secret::blank::{Filled, has_blanks, put_back};
use crate::text;
use kube::Client;
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who the API server notes for what an undo gives back: not us, so that the difference shows again.
const MANAGER: &str = "gatewright-undo";

/// What became of one entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Back {
    Done(String),
    /// Not given back, and why.
    Left(String),
    Wires(BTreeMap<String, Wire>),
    /// There was nothing to give back.
    Nothing,
}

pub async fn undo(work: &Work<'_>, entry: &Entry) -> Result<Back> {
    match entry {
        Entry::Object { thing, before } if work.is_embedded() => {
            embedded(work, thing, before.as_ref()).await
        }
        Entry::Object { thing, before } => object(work, thing, before.as_ref()).await,
        Entry::Scale {
            namespace,
            deployment,
            from,
            ..
        } => {
            scale(&work.client().await?, namespace, deployment, *from).await?;
            Ok(Back::Done(format!(
                "Deployment {deployment} scaled to {from} again"
            )))
        }
        Entry::Process { role } => {
            // It may never have been started, where no way needed it.
            match Background::new(work.paths, role).stop().await? {
                true => Ok(Back::Done(format!("process {role} ended again"))),
                false => Ok(Back::Nothing),
            }
        }
        Entry::Wires { before } => {
            work.lead_back(before).await?;
            Ok(Back::Wires(before.clone()))
        }
    }
}

async fn embedded(work: &Work<'_>, thing: &Thing, before: Option<&Value>) -> Result<Back> {
    let title = thing.title();
    let Some(before) = before else {
        work.target.undo(thing, &work.context).await?;
        return Ok(Back::Done(format!("{title} taken away again")));
    };
    // The embedded gateway shows no keys, so none can be given back.
    let hidden = before.to_string().contains(crate::gateway::HIDDEN) || has_blanks(before);
    if before["kind"] == "Secret" || hidden {
        let why = "gw keeps no former value of a key";
        return Ok(Back::Left(format!("{title} keeps its key: {why}")));
    }
    work.step(Action::Object(before.clone())).await?;
    Ok(Back::Done(format!("{title} as it was before")))
}

async fn object(work: &Work<'_>, thing: &Thing, before: Option<&Value>) -> Result<Back> {
    let client = work.client().await?;
    let title = thing.title();
    let Some(before) = before else {
        let done = delete(
            &client,
            thing,
            &work.record.environment,
            work.context.patience,
        )
        .await?;
        return Ok(match done {
            Undone::Removed => Back::Done(format!("{title} taken away again")),
            Undone::Absent => Back::Done(format!("{title} is not there, as before")),
            Undone::Kept(why) => Back::Left(format!("{title} stays: {why}")),
        });
    };
    let Some(now) = live(&client, thing).await? else {
        return Ok(Back::Left(format!(
            "{title} is gone: somebody else has deleted it since"
        )));
    };
    if before["kind"] == "Secret" {
        return secret(&client, thing, before, now).await;
    }
    let filled = put_back(before, &now);
    let may_lack = !filled.lost.is_empty();
    let given = put(&client, thing, back(&filled.object, now), may_lack).await?;
    Ok(told(work, thing, &filled, given))
}

/// What became of an object: what can't be given back is for a person to do.
fn told(work: &Work<'_>, thing: &Thing, filled: &Filled, given: bool) -> Back {
    let title = thing.title();
    let (lost, kept) = (text::list(&filled.lost), text::list(&filled.kept));
    let but = match (lost.as_str(), kept.as_str()) {
        ("", "") => return Back::Done(format!("{title} as it was before")),
        (lost, _) if !given => {
            format!("{title} stays as it is: it is not valid without its key at {lost}")
        }
        (lost, "") => format!("{title} as it was before but for its key at {lost}"),
        ("", kept) => format!("{title} as it was before, with the key that it has now at {kept}"),
        (lost, kept) => format!(
            "{title} as it was before but for its key at {lost}, with the key that it has now at {kept}"
        ),
    };
    let next = match thing {
        Thing::Object {
            kind,
            namespace,
            name,
            ..
        } => {
            let kind = kind.to_lowercase();
            let edit = format!("kubectl -n {namespace} edit {kind} {name}");
            work.record.way(work.paths).here(&edit)
        }
        _ => "gw status".to_string(),
    };
    Back::Left(format!("{but}; gw keeps no former value of a key: {next}"))
}

/// The live object with everything of its former form but what the API server keeps itself.
pub fn back(before: &Value, mut now: Value) -> Value {
    if let (Some(now), Some(before)) = (now.as_object_mut(), before.as_object()) {
        let own = |key: &str| ["metadata", "status", "apiVersion", "kind"].contains(&key);
        now.retain(|key, _| own(key));
        now.extend(
            before
                .iter()
                .filter(|(key, _)| !own(key))
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    for part in ["labels", "annotations", "managedFields"] {
        match before.pointer(&format!("/metadata/{part}")) {
            Some(value) => now["metadata"][part] = value.clone(),
            None => {
                now["metadata"]
                    .as_object_mut()
                    .map(|metadata| metadata.shift_remove(part));
            }
        }
    }
    now
}

/// Of a Secret no value was kept: entries that the fix added go, the others stay as they are.
async fn secret(client: &Client, thing: &Thing, before: &Value, mut now: Value) -> Result<Back> {
    let had = |entry: &String| before["data"].get(entry).is_some();
    let Some(data) = now["data"].as_object_mut() else {
        return Ok(Back::Done(format!("{} as it was before", thing.title())));
    };
    let added: Vec<String> = data.keys().filter(|entry| !had(entry)).cloned().collect();
    for entry in &added {
        data.shift_remove(entry);
    }
    let title = thing.title();
    if added.is_empty() {
        return Ok(Back::Left(format!(
            "{title} keeps its key: gw keeps no former value of a key"
        )));
    }
    now["metadata"]["labels"] = before["metadata"]["labels"].clone();
    put(client, thing, now, false).await?;
    Ok(Back::Done(format!(
        "{title} without {} again",
        text::list(&added)
    )))
}

/// Whether the API server takes the object; `may_lack`: it may find it not valid.
async fn put(client: &Client, thing: &Thing, object: Value, may_lack: bool) -> Result<bool> {
    let Some((api, name)) = object::of(client, thing) else {
        return Ok(true);
    };
    let title = thing.title();
    let mut object = object;
    object["status"] = json!(null);
    let object: DynamicObject = serde_json::from_value(object).map_err(|e| {
        crate::error::Error::new(format!("{title} can't be given back"), "gw up").because(&e)
    })?;
    let params = PostParams {
        field_manager: Some(MANAGER.to_string()),
        ..PostParams::default()
    };
    match api.replace(name, &params, &object).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if may_lack && matches!(status.code, 400 | 422) => Ok(false),
        Err(e) => {
            let what = format!("{title} can't be given back");
            Err(refused(what, &e, "gw status"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spec_labels_and_annotations_come_back_and_the_servers_own_stays() {
        let before = json!({"kind": "HTTPRoute", "metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "labels": {"x": "1"}}, "spec": {"parentRefs": [{"name": "gone"}]}});
        let now = json!({"kind": "HTTPRoute", "metadata": {"name": "a", "uid": "u", "resourceVersion": "9", "labels": {"x": "2"}, "annotations": {"n": "1"}},
            "spec": {"parentRefs": [{"name": "ai-gateway"}], "rules": []}, "status": {"parents": []}});
        let back = back(&before, now);
        assert_eq!(back["spec"], before["spec"]);
        assert_eq!(
            back["metadata"],
            json!({"name": "a", "uid": "u", "resourceVersion": "9", "labels": {"x": "1"}})
        );
        assert_eq!(back["status"], json!({"parents": []}));
    }
}
