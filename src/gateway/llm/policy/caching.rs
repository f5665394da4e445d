//! `promptCaching`: where Bedrock is told that it may keep what it has read (facts 6).

use serde_json::Value;

use crate::gateway::object::dig;

/// What is to be kept. Models that can't keep anything are not told (CRD `promptCaching`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caching {
    pub system: bool,
    pub messages: bool,
    pub tools: bool,
    /// The system's prompt is kept from this estimate of its tokens on.
    pub least: usize,
}

impl Caching {
    /// Reads `promptCaching`, with the CRD's defaults; null is none.
    pub(in crate::gateway) fn read(spec: &Value) -> Option<Caching> {
        let flag = |field: &str, usual: bool| dig(spec, &[field]).as_bool().unwrap_or(usual);
        let least = dig(spec, &["minTokens"]).as_u64().unwrap_or(1024);
        (!spec.is_null()).then(|| Caching {
            system: flag("cacheSystem", true),
            messages: flag("cacheMessages", true),
            tools: flag("cacheTools", false),
            least: usize::try_from(least).unwrap_or(usize::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_said_is_as_the_crd_has_it() {
        assert_eq!(Caching::read(&Value::Null), None);
        let usual = Caching {
            system: true,
            messages: true,
            tools: false,
            least: 1024,
        };
        assert_eq!(Caching::read(&json!({})), Some(usual));
        let other = Caching {
            system: false,
            messages: false,
            tools: true,
            least: 7,
        };
        let spec = json!({"cacheSystem": false, "cacheMessages": false, "cacheTools": true, "minTokens": 7});
        assert_eq!(Caching::read(&spec), Some(other));
    }
}
