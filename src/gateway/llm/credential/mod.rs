//! Keys that are not simply a header: AWS signatures and Google's access tokens, from a Secret or from
//! where the vendors' own tools look (facts 5).

mod aws;
mod chain;
pub mod google;

use std::path::PathBuf;
use std::time::SystemTime;

use http::header;
use http::request::Parts;

use crate::gateway::config::Auth;
use crate::gateway::transport::Transport;

/// Where a person's settings are: environment variables and the home folder.
pub struct Surroundings<'a> {
    pub variable: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

/// Those of this process.
pub const OURS: Surroundings<'static> = Surroundings {
    variable: &|name| std::env::var(name).ok(),
};

impl Surroundings<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// The file that a variable names, or the usual one below the home folder.
    fn file(&self, variable: &str, usual: &str) -> Option<PathBuf> {
        let named = self.get(variable).map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(self.get("HOME")?).join(usual)))
    }
}

/// The region that a signature names: with a person's own host it is that of the AWS settings (facts 9.4).
pub fn signing_region(region: &str, own_host: bool) -> String {
    let usual = aws::usual_region(&OURS).filter(|_| own_host);
    usual.unwrap_or_else(|| region.to_string())
}

/// Adds the key to a request that is complete but for it. The error never has a key in it.
pub async fn authorise(
    auth: &Auth,
    region: &str,
    transport: &Transport,
    head: &mut Parts,
    body: &[u8],
) -> Result<(), String> {
    match auth {
        Auth::Bearer(_) | Auth::Passthrough => Ok(()),
        Auth::Aws(keys) => aws::sign(head, body, keys, region, SystemTime::now()),
        Auth::UsualAws => {
            let keys = aws::usual_keys(&OURS).await?;
            aws::sign(head, body, &keys, region, SystemTime::now())
        }
        Auth::UsualGoogle(account) => {
            let header = account.header(transport, &OURS).await?;
            head.headers.insert(header::AUTHORIZATION, header);
            Ok(())
        }
    }
}
