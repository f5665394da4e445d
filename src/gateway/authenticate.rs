//! Who a request comes from, and what is asked of it before a route is chosen (facts 7.1, 9.1).

use serde_json::Value;

use super::exchange::Exchange;
use super::policy::Traffic;
use super::refusal::Refusal;

impl Exchange<'_> {
    /// Asks for a token, then for a password, then for a key: each that is shown is taken.
    pub async fn authenticate(&mut self, traffic: &Traffic) -> Result<(), Refusal> {
        let (headers, caller) = (&mut self.parts.headers, &mut self.caller);
        if let Some(jwt) = &traffic.jwt {
            jwt.check(headers, caller, self.plane).await?;
            let subject = caller.claims().and_then(|claims| claims.get("sub"));
            self.record.subject = subject.and_then(Value::as_str).map(str::to_string);
        }
        if let Some(basic) = &traffic.basic {
            basic.check(headers, caller).await?;
        }
        if let Some(keys) = &traffic.api_keys {
            keys.check(headers, caller)?;
        }
        self.after.caller = self.caller.clone();
        Ok(())
    }

    /// The phase PreRouting: it may change what the route is chosen by.
    pub async fn before_routing(&mut self, traffic: &Traffic) -> Result<(), Refusal> {
        if let Some(what) = &traffic.refused {
            return Err(Refusal::unsupported(what));
        }
        if let Some(transformation) = &traffic.transformation {
            self.plan(transformation).await;
        }
        self.authenticate(traffic).await?;
        let transformation = traffic.transformation.as_ref();
        if let Some(change) = transformation.and_then(|t| t.request.as_ref()) {
            self.transform(change).await;
        }
        Ok(())
    }
}
