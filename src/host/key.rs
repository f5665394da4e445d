//! Asks a provider whether it takes a key, before anything is made that needs it.

use super::web::why;
use crate::provider::check::{Judgement, Request, judge};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(5);

/// What came of asking: a judgement, or in words why nobody answered.
pub async fn ask(requests: Vec<Request>) -> Result<Judgement, String> {
    let mut last = Ok(Judgement::Taken);
    for request in requests {
        match one(&request).await {
            Ok((status, body)) => return Ok(judge(status, &body)),
            Err(why) => last = Err(why),
        }
    }
    last
}

async fn one(request: &Request) -> Result<(u16, String), String> {
    let headers = headers(request).ok_or("the key has characters that no header can carry")?;
    // With the system's roots and proxies; a redirect could carry the key elsewhere.
    let client = reqwest::Client::builder()
        .timeout(DEADLINE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|e| why(&e))?;
    let response = client.get(&request.url).headers(headers).send().await;
    let response = response.map_err(|e| why(&e))?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(|e| why(&e))?;
    Ok((status, body))
}

fn headers(request: &Request) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    Some(headers)
}
