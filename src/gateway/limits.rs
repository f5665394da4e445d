//! What this process may have open at once.

/// Connections that are served at once; more wait to be accepted.
const CONNECTIONS: u64 = 4096;
/// Files that are not connections: ports, logs, the admin socket.
const OTHERS: u64 = 64;
/// As many as macOS gives any process (OPEN_MAX).
const FILES: libc::rlim_t = 10_240;

/// Asks for as many files as connections can need: the usual soft limit of 1,024 is for programs that
/// use `select`. Best effort: what is not granted makes fewer connections.
pub fn raise_files() {
    let Some(mut limit) = files() else {
        return;
    };
    let wanted = FILES.min(limit.rlim_max);
    if limit.rlim_cur < wanted {
        limit.rlim_cur = wanted;
        // SAFETY: setrlimit reads the struct that it is given, which outlives the call.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}

/// Connections that can be served with the files that there are, each with one to its upstream.
pub(super) fn connections() -> usize {
    let files = files().map_or(1024, |limit| limit.rlim_cur);
    #[allow(
        clippy::useless_conversion,
        reason = "the type differs between systems"
    )]
    let files = u64::from(files);
    let fit = (files.saturating_sub(OTHERS) / 2).clamp(16, CONNECTIONS);
    usize::try_from(fit).unwrap_or(16)
}

fn files() -> Option<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit writes to the struct that it is given, which outlives the call.
    let done = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (done == 0).then_some(limit)
}
