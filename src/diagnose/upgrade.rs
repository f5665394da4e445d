//! What stands in the way of another version: pure checks over what is there and what would come.

use crate::plan::thing::Thing;
use serde_json::Value;

/// The line of releases that gw knows.
const LINE: &str = "v2.2.";

/// Whether a version is one that gw may install; why not otherwise.
pub fn is_known(version: &str) -> Result<(), String> {
    match version
        .strip_prefix(LINE)
        .is_some_and(|patch| patch.parse::<u32>().is_ok())
    {
        true => Ok(()),
        false => Err(format!(
            "{version} is not of the line 2.2, which is what this gw knows"
        )),
    }
}

/// Patch releases of the line among tags, newest first.
pub fn releases(tags: &[String]) -> Vec<String> {
    let mut found: Vec<(u32, String)> = tags
        .iter()
        .filter_map(|tag| Some((patch(tag)?, tag.clone())))
        .collect();
    found.sort_by_key(|(patch, _)| std::cmp::Reverse(*patch));
    found.into_iter().map(|(_, tag)| tag).collect()
}

fn patch(version: &str) -> Option<u32> {
    version.strip_prefix(LINE)?.parse().ok()
}

/// Whether a release of the line came after another; after what is not of the line, any.
pub fn is_newer(version: &str, than: &str) -> bool {
    patch(version) > patch(than)
}

/// Schemas by kind of the CRDs in a chart's rendered manifests.
pub fn schemas(manifests: &[Value]) -> Vec<(String, Value)> {
    let crds = manifests
        .iter()
        .filter(|object| object["kind"] == "CustomResourceDefinition");
    let one = |crd: &Value| {
        let kind = crd.pointer("/spec/names/kind")?.as_str()?.to_string();
        let versions = crd.pointer("/spec/versions")?.as_array()?;
        let served = versions.iter().find(|version| version["storage"] == true)?;
        Some((kind, served.pointer("/schema/openAPIV3Schema")?.clone()))
    };
    crds.filter_map(one).collect()
}

/// Fields of our objects that the coming schemas do not have: `AgentgatewayPolicy limits: spec.traffic.x`.
pub fn vanishing(objects: &[Value], schemas: &[(String, Value)]) -> Vec<String> {
    let mut lost = Vec::new();
    for object in objects {
        let kind = object["kind"].as_str().unwrap_or("");
        let Some((_, schema)) = schemas.iter().find(|(known, _)| known == kind) else {
            continue;
        };
        if let (Some(spec), Some(schema)) = (object.get("spec"), schema.pointer("/properties/spec"))
        {
            let mut paths = Vec::new();
            walk(spec, schema, "spec", &mut paths);
            lost.extend(
                paths
                    .into_iter()
                    .map(|path| format!("{}: {path}", Thing::of(object).title())),
            );
        }
    }
    lost
}

fn walk(value: &Value, schema: &Value, path: &str, lost: &mut Vec<String>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (key, below) in fields {
                let known = schema.pointer(&format!(
                    "/properties/{}",
                    key.replace('~', "~0").replace('/', "~1")
                ));
                let any = schema
                    .get("additionalProperties")
                    .filter(|any| any.is_object());
                match known.or(any) {
                    Some(schema) => walk(below, schema, &format!("{path}.{key}"), lost),
                    None => lost.push(format!("{path}.{key}")),
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter().for_each(|item| walk(item, schema, path, lost));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_patches_of_the_line_are_known_newest_first() {
        let tags = [
            "v2.2.0",
            "v2.2.10",
            "v2.2.2",
            "v2.3.0",
            "v2.2.1-rc1",
            "latest",
        ]
        .map(str::to_string);
        assert_eq!(releases(&tags), ["v2.2.10", "v2.2.2", "v2.2.0"]);
        assert!(is_known("v2.2.7").is_ok());
        assert!(is_newer("v2.2.10", "v2.2.9") && !is_newer("v2.2.1", "v2.2.1"));
        for wrong in ["v2.3.0", "2.2.1", "v2.2.1-rc1", "v2.2."] {
            assert!(is_known(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_field_that_the_coming_schema_does_not_have_is_named() {
        let crd = json!({"kind": "CustomResourceDefinition", "spec": {"names": {"kind": "AgentgatewayPolicy"}, "versions": [{"storage": true, "schema": {"openAPIV3Schema":
            {"properties": {"spec": {"properties": {"targetRefs": {"items": {"properties": {"name": {}}}}, "free": {"x-kubernetes-preserve-unknown-fields": true}, "map": {"additionalProperties": {"properties": {"a": {}}}}}}}}}}]}});
        let object = json!({"kind": "AgentgatewayPolicy", "metadata": {"name": "p"}, "spec": {"targetRefs": [{"name": "a", "gone": 1}], "free": {"any": 1}, "map": {"k": {"a": 1, "b": 2}}}});
        assert_eq!(
            vanishing(&[object], &schemas(&[crd])),
            [
                "AgentgatewayPolicy p: spec.targetRefs.gone",
                "AgentgatewayPolicy p: spec.map.k.b"
            ]
        );
    }
}
