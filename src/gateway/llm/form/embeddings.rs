//! OpenAI's embeddings.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Gains `encoding_format: null` and `dimensions: null` on the way (facts 16.3).
#[derive(Debug, Serialize, Deserialize)]
#[serde(expecting = "struct Request")]
pub struct Embeddings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub encoding_format: Option<String>,
    pub dimensions: Option<u64>,
    pub input: Value,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
