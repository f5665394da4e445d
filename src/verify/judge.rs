//! Whether a reply is what a case expects. Pure.

use super::answer::{Answer, Asked, explain};
use super::case::{Answered, Behind, Case, Want};
use super::form::Gist;
use super::stream;
use crate::text;
use serde_json::Value;

/// What came back for one request.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
    /// Why the body did not come to its end.
    pub broke: Option<String>,
}

impl Reply {
    pub fn answer(&self) -> Answer {
        Answer {
            status: self.status,
            content_type: self.header("content-type").to_string(),
            body: self.body.clone(),
        }
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// What a good answer says, or what of the expectation is not so.
pub fn judge(reply: &Reply, case: &Case) -> Result<Gist, String> {
    let expect = &case.expect;
    let status = reply.status;
    let good = match expect.status.as_slice() {
        [] if expect.upstream => !is_proxys(reply, case),
        [] => (200..300).contains(&status),
        wanted => wanted.contains(&status),
    };
    if !good {
        let wanted: Vec<String> = expect.status.iter().map(u16::to_string).collect();
        let wanted = match wanted.as_slice() {
            [] => "2xx".to_string(),
            wanted => text::list(wanted),
        };
        return Err(format!("{status} where {wanted} was expected"));
    }
    if let Some(why) = &reply.broke {
        return Err(format!("it broke off: {why}"));
    }
    if let Some(wanted) = &expect.contains
        && !reply.body.contains(wanted.as_str())
    {
        return Err(format!("{status}, but without {wanted:?}"));
    }
    let mut headers = expect.headers.iter();
    if let Some(fault) = headers.find_map(|(name, want)| header_fault(reply, name, want)) {
        return Err(format!("{status}, but {fault}"));
    }
    match &expect.answer {
        None => Ok(Gist::default()),
        Some(answered) => answer(reply, answered, &case.behind),
    }
}

fn is_proxys(reply: &Reply, case: &Case) -> bool {
    let behind = &case.behind;
    let asked = Asked {
        provider: behind.provider,
        title: &behind.title,
        model: &behind.model,
        port: behind.port,
    };
    explain(&reply.answer(), asked).from_proxy
}

fn answer(reply: &Reply, answered: &Answered, behind: &Behind) -> Result<Gist, String> {
    let gist = match answered.stream {
        true => streamed(reply, answered, behind)?,
        false => {
            let value: Value =
                serde_json::from_str(&reply.body).map_err(|_| "it is no JSON".to_string())?;
            answered.form.gist(&value)
        }
    };
    if gist.said.is_empty() {
        return Err("no text in it".to_string());
    }
    let is_one = |asked: &String| behind.provider.same_model(asked, &gist.model);
    if !answered.models.is_empty() && !gist.model.is_empty() && !answered.models.iter().any(is_one)
    {
        let wanted = text::list(&answered.models);
        let model = &gist.model;
        return Err(format!(
            "from model `{model}` where `{wanted}` was asked for"
        ));
    }
    if gist.model.is_empty()
        && !answered.models.is_empty()
        && !answered.stream
        && answered.form.counts_output()
    {
        return Err("it names no model".to_string());
    }
    if !answered.stream && answered.form.counts_output() && gist.output == 0 {
        return Err("it counts no tokens".to_string());
    }
    Ok(gist)
}

fn streamed(reply: &Reply, answered: &Answered, behind: &Behind) -> Result<Gist, String> {
    let kind = reply.header("content-type");
    if !kind.starts_with("text/event-stream") {
        return Err(format!(
            "its content-type is {kind:?} and not text/event-stream"
        ));
    }
    let native = super::derive::is_native(answered.form, behind.speaks);
    stream::gist(&reply.body, answered.form, native)
}

/// Whether a header is as it must be.
fn header_fault(reply: &Reply, name: &str, want: &Want) -> Option<String> {
    let value = reply.headers.get(name);
    let value = value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    match (want, value) {
        (Want::Is(wanted), Some(value)) if value == *wanted => None,
        (Want::Is(wanted), Some(value)) => {
            Some(format!("its {name} is {value:?} and not {wanted:?}"))
        }
        (Want::There, Some(_)) | (Want::Absent, None) => None,
        (Want::Is(_) | Want::There, None) => Some(format!("it has no {name}")),
        (Want::Absent, Some(_)) => Some(format!("it has a {name}")),
    }
}
