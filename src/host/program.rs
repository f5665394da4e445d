//! Programs that run on this machine and are not our children, found by what they were started with.

/// Processes in whose command line each of `words` stands, between blanks. Where the system does not
/// tell there are none.
pub fn running(words: &[&str]) -> Vec<u32> {
    let lines = lines().into_iter();
    lines
        .filter(|(_, line)| says(line, words))
        .map(|(pid, _)| pid)
        .collect()
}

fn says(line: &str, words: &[&str]) -> bool {
    let line = format!(" {line} ");
    words.iter().all(|word| line.contains(&format!(" {word} ")))
}

/// Ends a process at once.
pub fn end(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // SAFETY: kill has no memory effects.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

#[cfg(target_os = "linux")]
fn lines() -> Vec<(u32, String)> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let line = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_string_lossy().parse().ok()?;
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        Some((pid, words))
    };
    all.filter_map(line).collect()
}

#[cfg(not(target_os = "linux"))]
fn lines() -> Vec<(u32, String)> {
    let asked = std::process::Command::new("ps")
        // One -o each: with `pid=,command=` BSD's makes `,command=` the heading of pid.
        .args(["-axww", "-o", "pid=", "-o", "command="])
        .output();
    let text = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = |line: &str| {
        let (pid, words) = line.trim().split_once(' ')?;
        Some((pid.parse().ok()?, words.trim().to_string()))
    };
    text.unwrap_or_default().lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::Command;

    #[test]
    fn a_program_is_found_by_whole_words_of_its_command_while_it_runs() {
        let mark = format!("here-{}", std::process::id());
        let args = ["-c", "echo here; read line", "sh", &mark];
        let mut command = Command::new("sh");
        let pipe = std::process::Stdio::piped;
        let mut child = command
            .args(args)
            .stdin(pipe())
            .stdout(pipe())
            .spawn()
            .unwrap();
        // Until it speaks, the system may not have its command line yet.
        let mut said = [0; 5];
        child.stdout.take().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(running(&["sh", &mark]), [child.id()]);
        assert!(running(&["sh", &mark[..mark.len() - 1]]).is_empty());
        assert!(running(&["another", &mark]).is_empty());
        end(child.id());
        child.wait().unwrap();
        assert!(running(&["sh", &mark]).is_empty());
    }
}
