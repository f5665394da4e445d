//! Large files from the outside world: streamed to a folder of ours, with their digest.

use crate::error::{Error, Result, chain};
use crate::text;
use futures::StreamExt;
use reqwest::StatusCode;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const CONNECT: Duration = Duration::from_secs(15);
/// A line that is slow is waited for; one that is dead is not.
const SILENCE: Duration = Duration::from_secs(30);
/// Release hosts answer 5xx or cut a connection now and then; a third time it is no accident.
const ATTEMPTS: u32 = 3;
/// How often a person is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(3);

/// Lets a person be told now and then, and not for every piece.
pub struct Pace(Option<Instant>);

impl Pace {
    /// The first is due at once.
    pub fn new() -> Self {
        Pace(None)
    }

    pub fn is_due(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= TOLD_EVERY);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

impl Default for Pace {
    fn default() -> Self {
        Pace::new()
    }
}

/// Said while something is fetched.
pub type Waiting<'a> = &'a (dyn Fn(String) + Send + Sync);

enum Fault {
    /// It may be better next time.
    Passing(String),
    Lasting(String),
}

fn client() -> std::result::Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
}

/// A small text, such as a checksum.
pub async fn text(url: &str) -> Result<String> {
    let mut said = Vec::new();
    for attempt in 0..ATTEMPTS {
        pause(attempt).await;
        match text_once(url).await {
            Ok(text) => return Ok(text),
            Err(Fault::Passing(why)) => said.push(why),
            Err(Fault::Lasting(why)) => return Err(failed(url, &[why])),
        }
    }
    Err(failed(url, &said))
}

/// Writes what `url` has to `path` and returns its SHA-256 in hexadecimal digits.
pub async fn file(url: &str, title: &str, path: &Path, waiting: Waiting<'_>) -> Result<String> {
    let mut said = Vec::new();
    for attempt in 0..ATTEMPTS {
        pause(attempt).await;
        match file_once(url, title, path, waiting).await {
            Ok(sum) => return Ok(sum),
            Err(Fault::Passing(why)) => said.push(why),
            Err(Fault::Lasting(why)) => return Err(failed(url, &[why])),
        }
    }
    Err(failed(url, &said))
}

async fn pause(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(Duration::from_millis(400) * attempt).await;
    }
}

fn failed(url: &str, said: &[String]) -> Error {
    let mut said = said.to_vec();
    said.dedup();
    let error = Error::new(
        format!("{url} can't be fetched"),
        format!("curl -fsSLO {url}"),
    );
    said.into_iter().fold(error, Error::fact)
}

async fn ask(url: &str) -> std::result::Result<reqwest::Response, Fault> {
    let client = client().map_err(|e| Fault::Lasting(chain(&e)))?;
    let response = client.get(url).send().await.map_err(|e| passing(&e))?;
    match response.status() {
        status if status.is_success() => Ok(response),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(Fault::Passing(format!("answered {status}")))
        }
        status => Err(Fault::Lasting(format!("answered {status}"))),
    }
}

fn passing(error: &reqwest::Error) -> Fault {
    // A URL that stands in the error again says nothing new.
    Fault::Passing(match error.is_timeout() {
        true => "no answer in time".to_string(),
        false => chain(error),
    })
}

async fn text_once(url: &str) -> std::result::Result<String, Fault> {
    ask(url).await?.text().await.map_err(|e| passing(&e))
}

async fn file_once(
    url: &str,
    title: &str,
    path: &Path,
    waiting: Waiting<'_>,
) -> std::result::Result<String, Fault> {
    let response = ask(url).await?;
    let whole = response.content_length();
    let full = |e: std::io::Error| Fault::Lasting(format!("{}: {e}", path.display()));
    let mut file = std::fs::File::create(path).map_err(full)?;
    let mut digest = Sha256::new();
    let (mut got, mut told) = (0_u64, Instant::now());
    waiting(match whole {
        Some(whole) => format!("fetching {title}, {}", text::bytes(whole)),
        None => format!("fetching {title}"),
    });
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|e| passing(&e))?;
        digest.update(&piece);
        file.write_all(&piece).map_err(full)?;
        got += piece.len() as u64;
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            waiting(progress(title, got, whole));
        }
    }
    if whole.is_some_and(|whole| whole != got) {
        let why = format!("it ended after {}", text::bytes(got));
        return Err(Fault::Passing(why));
    }
    file.sync_all().map_err(full)?;
    Ok(hex(&digest.finalize()))
}

/// `kind v0.31.0: 3.1 MB of 10.5 MB`.
pub fn progress(title: &str, got: u64, whole: Option<u64>) -> String {
    match whole {
        Some(whole) => format!("{title}: {} of {}", text::bytes(got), text::bytes(whole)),
        None => format!("{title}: {}", text::bytes(got)),
    }
}

/// SHA-256 of a file, in hexadecimal digits.
pub fn sum_of_file(path: &Path) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
