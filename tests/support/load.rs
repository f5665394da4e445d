//! Clients that ask without pause, each on a connection that it keeps, and note how every request went.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No answer takes longer where nothing holds it up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How one request went.
#[derive(Debug, Clone)]
pub enum Went {
    /// Status and body.
    Answered(u16, String),
    /// Nobody took the connection, or it broke off.
    #[allow(dead_code, reason = "told when a test fails")]
    Broken(String),
}

#[derive(Debug, Clone)]
pub struct Asked {
    pub at: Instant,
    pub took: Duration,
    pub client: usize,
    /// Connections that this client has opened until then.
    pub connections: usize,
    pub went: Went,
}

pub struct Load {
    is_over: Arc<AtomicBool>,
    log: Arc<Mutex<Vec<Asked>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// `clients` of them, each sending these bytes again and again.
    pub fn start(port: u16, clients: usize, request: &str) -> Load {
        let (is_over, log) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let start = |client| {
            let (is_over, log, request) = (
                Arc::clone(&is_over),
                Arc::clone(&log),
                request.as_bytes().to_vec(),
            );
            std::thread::spawn(move || ask_on(port, client, &request, &is_over, &log))
        };
        Load {
            clients: (0..clients).map(start).collect(),
            is_over,
            log,
        }
    }

    /// What there is so far.
    pub fn seen(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until every client has had an answer that began after `since`.
    pub fn wait(&self, since: Instant) {
        let begin = Instant::now();
        let answered = |client| {
            let log = self.log.lock().unwrap();
            log.iter().any(|asked| {
                asked.client == client
                    && asked.at >= since
                    && matches!(asked.went, Went::Answered(200, _))
            })
        };
        while !(0..self.clients.len()).all(answered) {
            assert!(
                begin.elapsed() < PATIENCE,
                "a client gets no answer any more"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn end(self) -> Vec<Asked> {
        self.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

fn ask_on(port: u16, client: usize, request: &[u8], is_over: &AtomicBool, log: &Mutex<Vec<Asked>>) {
    let (mut open, mut connections) = (None, 0);
    while !is_over.load(Ordering::Relaxed) {
        let at = Instant::now();
        let result = match open.take() {
            Some(stream) => Ok(stream),
            None => {
                connections += 1;
                TcpStream::connect(("127.0.0.1", port)).map(BufReader::new)
            }
        };
        let result = result.and_then(|mut stream| {
            let answer = exchange(&mut stream, request)?;
            Ok((stream, answer))
        });
        let went = match result {
            Ok((stream, (status, body))) => {
                open = Some(stream);
                Went::Answered(status, body)
            }
            Err(error) => {
                // Who is refused tries again, but not as fast as the machine can.
                std::thread::sleep(Duration::from_millis(1));
                Went::Broken(error.to_string())
            }
        };
        log.lock().unwrap().push(Asked {
            at,
            took: at.elapsed(),
            client,
            connections,
            went,
        });
    }
}

/// One request, and its answer, which has a length.
pub fn exchange(
    stream: &mut BufReader<TcpStream>,
    request: &[u8],
) -> std::io::Result<(u16, String)> {
    stream.get_ref().set_read_timeout(Some(PATIENCE))?;
    stream.get_mut().write_all(request)?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let Some(status) = status else {
        let message = format!("no status line: {line:?}");
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            message,
        ));
    };
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
