//! What this process keeps in the machine's memory.

use std::ops::Range;

/// Gives the system what the start needed and serving does not: memory that was freed, which the
/// allocator keeps otherwise, and pages of the program itself, which come back when they are asked for.
/// A gateway runs for long, and never again needs as much as reading its objects took.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes no pointer, and any thread may call it at any time.
    unsafe {
        libc::malloc_trim(0);
    }
    #[cfg(target_os = "linux")]
    for pages in own_pages() {
        let start = std::ptr::with_exposed_provenance_mut(pages.start);
        // SAFETY: these are pages of a file that nobody has written to: they are read again from there.
        unsafe {
            libc::madvise(start, pages.len(), libc::MADV_DONTNEED);
        }
    }
}

#[cfg(target_os = "linux")]
fn own_pages() -> Vec<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps");
    let program = std::env::current_exe();
    match (maps, program) {
        (Ok(maps), Ok(program)) => unwritten(&maps, &program.to_string_lossy()),
        _ => Vec::new(),
    }
}

/// Where a program is mapped that nothing has been written to (proc_pid_maps(5)): its code, and what
/// lies at the file's beginning. Other constants may have been relocated, and are then nowhere else.
#[cfg_attr(
    not(target_os = "linux"),
    allow(
        dead_code,
        reason = "other systems don't say where a program is mapped"
    )
)]
fn unwritten(maps: &str, program: &str) -> Vec<Range<usize>> {
    let range = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (at, allowed, offset) = (fields.next()?, fields.next()?, fields.next()?);
        let is_own = line.strip_suffix(program)?.ends_with(' ');
        let is_first = allowed == "r--p" && u64::from_str_radix(offset, 16) == Ok(0);
        if !is_own || !(allowed == "r-xp" || is_first) {
            return None;
        }
        let (start, end) = at.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(start)?..number(end)?)
    };
    maps.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.1 shows a program that lld has linked.
    const MAPS: &str = "\
5600-5700 r--p 00000000 fe:00 42                         /usr/bin/gw
5700-5900 r-xp 00100000 fe:00 42                         /usr/bin/gw
5900-5a00 r--p 00300000 fe:00 42                         /usr/bin/gw
5a00-5b00 rw-p 00400000 fe:00 42                         /usr/bin/gw
5b00-5c00 rw-p 00000000 00:00 0                          [heap]
7f00-7f10 r-xp 00026000 fe:00 77                         /usr/lib/libc.so.6
7f20-7f30 r-xp 00001000 fe:00 78                         /opt/usr/bin/gw
7f30-7f40 r-xp 00001000 fe:00 78                         /usr/bin/gw (deleted)
nonsense
";

    #[test]
    fn only_pages_of_the_program_that_were_never_written_are_given_back() {
        assert_eq!(
            unwritten(MAPS, "/usr/bin/gw"),
            [0x5600..0x5700, 0x5700..0x5900]
        );
        assert!(unwritten("", "/usr/bin/gw").is_empty());
    }

    #[test]
    fn what_was_given_back_is_there_when_it_is_asked_for() {
        let before = env!("CARGO_PKG_NAME").to_string();
        give_back();
        assert_eq!(before, env!("CARGO_PKG_NAME"));
        #[cfg(target_os = "linux")]
        assert!(!own_pages().is_empty());
    }
}
