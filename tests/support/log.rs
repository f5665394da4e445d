//! An access log in memory.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The first line that contains this, once it is there.
    pub async fn find(&self, part: &str) -> String {
        self.find_after(0, part).await
    }

    /// The line that contains this and comes after so many others that do.
    pub async fn find_after(&self, others: usize, part: &str) -> String {
        for _ in 0..200 {
            if let Some(line) = self
                .text()
                .lines()
                .filter(|line| line.contains(part))
                .nth(others)
            {
                return line.to_string();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no line with {part:?} in the log:\n{}", self.text());
    }
}

impl Write for Lines {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
