//! The settings of this process's terminal: kept before somebody is asked, given back after.

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
