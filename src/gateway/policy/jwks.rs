//! JSON Web Key Sets (RFC 7517): the keys that tokens are verified with, given inline or fetched.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Request;
use http::header::HOST;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex as AsyncMutex;

use crate::gateway::body::{self, AnyBody};
use crate::gateway::config::Origin;
use crate::gateway::transport::Transport;

/// The longest set that is fetched; the CRD takes inline ones of 64 KiB.
const LONGEST: usize = 1 << 20;
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a failed fetch stands, so that a dead issuer is not asked for every request.
const RETRY: Duration = Duration::from_secs(5);

/// A key, and the algorithms it may be used with.
#[derive(Clone)]
pub struct Key {
    pub decoding: DecodingKey,
    pub algorithms: Vec<Algorithm>,
}

/// Keys by their `kid`.
#[derive(Clone, Default)]
pub struct KeySet(HashMap<String, Key>);

impl KeySet {
    /// Reads a set. Keys without a `kid` and those of other kinds than RSA and EC are left out: the
    /// real proxy knows no token that they could verify.
    pub fn read(text: &[u8]) -> Result<KeySet, String> {
        let set: JwkSet = serde_json::from_slice(text)
            .map_err(|error| format!("failed to parse JWKS: {error}"))?;
        let mut keys = HashMap::new();
        for jwk in &set.keys {
            if let (Some(id), Some(key)) = (&jwk.common.key_id, Key::read(jwk)?) {
                keys.insert(id.clone(), key);
            }
        }
        Ok(KeySet(keys))
    }

    pub fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }
}

impl Key {
    fn read(jwk: &Jwk) -> Result<Option<Key>, String> {
        let unusable = |error| {
            let id = jwk.common.key_id.as_deref().unwrap_or("");
            format!("could not construct a decoding key for {id:?}: {error:?}")
        };
        let (decoding, family): (_, &[Algorithm]) = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => (
                DecodingKey::from_rsa_components(&rsa.n, &rsa.e),
                &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512],
            ),
            AlgorithmParameters::EllipticCurve(ec) => (
                DecodingKey::from_ec_components(&ec.x, &ec.y),
                &[Algorithm::ES256, Algorithm::ES384],
            ),
            _ => return Ok(None),
        };
        let named = jwk.common.key_algorithm.map(|named| named.to_string());
        let named = named.and_then(|named| Algorithm::from_str(&named).ok());
        Ok(Some(Key {
            decoding: decoding.map_err(unusable)?,
            algorithms: named.map_or_else(|| family.to_vec(), |only| vec![only]),
        }))
    }
}

/// Where a set is fetched from.
#[derive(Debug, Clone)]
pub struct RemoteKeys {
    pub origin: Arc<Origin>,
    /// With a leading slash.
    pub path: Arc<str>,
    pub lifetime: Duration,
}

/// Fetched sets by where they came from. They outlive the configuration that asked for them.
#[derive(Default)]
pub struct KeyStore(Mutex<HashMap<String, Arc<Held>>>);

#[derive(Default)]
struct Held {
    current: Mutex<Option<(Arc<KeySet>, Instant)>>,
    /// Held by whoever fetches.
    fetching: AsyncMutex<()>,
}

impl Held {
    fn read(&self) -> Option<(Arc<KeySet>, Instant)> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl KeyStore {
    /// The keys of a remote set. Old ones serve while one request fetches new ones; those of an
    /// issuer that can't be reached stay, and without any nobody is let in.
    pub async fn keys(&self, remote: &RemoteKeys, transport: &Transport) -> Arc<KeySet> {
        let held = self.held(remote);
        let is_fresh = |until: Instant| Instant::now() < until;
        let old = held.read();
        if let Some((keys, until)) = &old
            && is_fresh(*until)
        {
            return Arc::clone(keys);
        }
        let _turn = match &old {
            None => held.fetching.lock().await,
            Some((keys, _)) => match held.fetching.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Arc::clone(keys),
            },
        };
        if let Some((keys, until)) = held.read()
            && is_fresh(until)
        {
            return keys;
        }
        let (keys, lifetime) = match fetch(remote, transport).await {
            Some(keys) => (Arc::new(keys), remote.lifetime),
            None => (old.map(|(keys, _)| keys).unwrap_or_default(), RETRY),
        };
        let mut current = held.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some((Arc::clone(&keys), Instant::now() + lifetime));
        keys
    }

    fn held(&self, remote: &RemoteKeys) -> Arc<Held> {
        let place = format!(
            "{} {:?}{}",
            remote.origin.endpoint, remote.origin.tls, remote.path
        );
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(place).or_default())
    }
}

async fn fetch(remote: &RemoteKeys, transport: &Transport) -> Option<KeySet> {
    let host = remote.origin.endpoint.as_ref();
    let request = Request::get(remote.path.as_ref()).header(HOST, host);
    let request = request.body(AnyBody::whole("")).ok()?;
    let work = async {
        let answer = transport.send(&remote.origin, request).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let bytes = body::read(answer.into_body(), LONGEST).await;
        KeySet::read(&bytes.ok()?).ok()
    };
    tokio::time::timeout(FETCH_TIMEOUT, work).await.ok()?
}
