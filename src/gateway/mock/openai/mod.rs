//! OpenAI's API: chat completions, responses, embeddings, models. Azure, Gemini and Vertex offer it too.

mod chat;
mod embeddings;
mod models;
mod responses;
mod stream;

use serde_json::Value;

use super::MODEL;
use super::text::field;
use super::wit::{Choice, Tool};

pub(super) use chat::complete;
pub(super) use embeddings::embed;
pub(super) use models::{model, models};
pub(super) use responses::respond;
pub(super) use stream::halves;

/// `system_fingerprint` of every answer that has one.
const FINGERPRINT: &str = "gatewright-mock";

/// The model that was asked for: any name is taken. Azure names it in the path.
fn model_of(request: &Value, place: &str) -> String {
    let named = [field(request, "model"), place, MODEL];
    let named = named.into_iter().find(|name| !name.is_empty());
    named.unwrap_or(MODEL).to_string()
}

/// A function's name and parameters, where both APIs have them in one object.
fn tool(function: &Value) -> Option<Tool> {
    let name = field(function, "name");
    let schema = function.get("parameters").unwrap_or(&Value::Null);
    (!name.is_empty()).then(|| Tool {
        name: name.to_string(),
        schema: schema.clone(),
    })
}

/// `tool_choice`: a word, or an object that names a function, flat or under `function`.
fn choice(given: &Value) -> Choice {
    match given {
        Value::String(word) if word == "none" => Choice::Never,
        Value::String(word) if word == "required" => Choice::Any,
        Value::Object(_) => {
            let inner = given.get("function").unwrap_or(given);
            Choice::Named(field(inner, "name").to_string())
        }
        _ => Choice::Auto,
    }
}
