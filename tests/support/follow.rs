//! A running `gw logs --follow`: its lines as they come.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A chat request to a gateway of this machine; whether anything answered it.
pub fn post(port: u16, path: &str) -> bool {
    let body = r#"{"messages":[{"role":"user","content":"ping"}]}"#;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(format!("{head}{body}").as_bytes())?;
        stream.read_to_end(&mut answer)
    });
    asked.is_ok() && answer.starts_with(b"HTTP/1.1 ")
}

pub struct Follow {
    child: Child,
    lines: Receiver<String>,
    /// All that came so far.
    pub seen: Vec<String>,
}

impl Follow {
    pub fn start(mut command: Command) -> Follow {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Follow {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line with these words.
    pub fn until(&mut self, words: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.seen.iter().any(|line| line.contains(words)) {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("{words} did not come: {:#?}", self.seen));
            self.seen.push(line);
        }
    }

    /// How often a line with these words came.
    pub fn count(&self, words: &str) -> usize {
        self.seen.iter().filter(|line| line.contains(words)).count()
    }

    /// Sends a signal: exit code and what was said on stderr.
    pub fn end(mut self, signal: i32) -> (Option<i32>, String) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: kill has no memory effects; the process is one that this test started.
        unsafe { libc::kill(pid, signal) };
        let code = self.child.wait().unwrap().code();
        let mut said = String::new();
        let err = self.child.stderr.take();
        err.unwrap().read_to_string(&mut said).unwrap();
        (code, said)
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        // That it has ended is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
