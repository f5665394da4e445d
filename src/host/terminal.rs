//! This process's terminal: its settings, kept before somebody is asked and given back after; and whether
//! anybody reads.

/// However asking ends, the terminal gets its settings back and its cursor is shown: a dialogue that
/// a signal breaks off leaves both changed.
pub struct Kept(Option<libc::termios>);

impl Kept {
    pub fn now() -> Kept {
        // SAFETY: termios is plain data, for which zeroes are a value.
        let mut settings: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: tcgetattr writes to a termios of ours and to nothing else.
        let got = unsafe { libc::tcgetattr(libc::STDIN_FILENO, &raw mut settings) };
        Kept((got == 0).then_some(settings))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(settings) = self.0 {
            // SAFETY: tcsetattr reads a termios of ours.
            unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const settings) };
        }
        // Nothing can be done about a terminal that is gone.
        let _ = console::Term::stderr().show_cursor();
    }
}

/// Whether what is written to standard output is read still: the other end of a pipe may be closed.
pub fn has_reader() -> bool {
    let mut out = libc::pollfd {
        fd: libc::STDOUT_FILENO,
        events: 0,
        revents: 0,
    };
    // SAFETY: poll writes to the one pollfd that it is given, and returns at once.
    let seen = unsafe { libc::poll(&raw mut out, 1, 0) };
    seen < 1 || out.revents & (libc::POLLERR | libc::POLLHUP) == 0
}
