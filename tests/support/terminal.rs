//! A real pseudo-terminal with the binary on it: keys go in, a screen comes out.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything on the screen may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[allow(dead_code, reason = "each test program uses a part of it")]
pub struct Terminal {
    keyboard: File,
    child: Child,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was written.
    pub written: String,
    width: u16,
}

#[allow(dead_code, reason = "each test program uses a part of it")]
impl Terminal {
    /// Starts a command with a terminal of this size as its own.
    pub fn start(mut command: Command, rows: u16, columns: u16) -> Terminal {
        let (ours, theirs) = pair(rows, columns);
        command.env("TERM", "xterm-256color");
        command.stdin(theirs.try_clone().unwrap());
        command.stdout(theirs.try_clone().unwrap());
        command.stderr(theirs);
        #[allow(
            clippy::useless_conversion,
            reason = "the type differs between systems"
        )]
        let take_it = libc::TIOCSCTTY.into();
        // SAFETY: both calls are async-signal-safe and touch only the child.
        unsafe {
            command.pre_exec(move || {
                libc::setsid();
                libc::ioctl(0, take_it, 0);
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        // The command holds our copies of the terminal's other side: without them the end is seen.
        drop(command);
        let (sender, output) = channel();
        let mut reader = ours.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            keyboard: ours,
            child,
            output,
            screen: vt100::Parser::new(size(rows), size(columns), 500),
            written: String::new(),
            width: columns,
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// What stands on the screen now.
    pub fn screen(&self) -> String {
        self.screen.screen().contents()
    }

    /// What stands there, cell by cell.
    pub fn cells(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    pub fn shows_cursor(&self) -> bool {
        !self.screen.screen().hide_cursor()
    }

    /// Waits until a text stands on the screen, somewhere after the last one that was waited for.
    pub fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        while !self.screen().contains(text) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(e) => panic!("{e}: no `{text}` on the screen:\n{}", self.screen()),
            }
        }
    }

    /// Waits until what stands on the screen is as wanted.
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&Terminal) -> bool) {
        let start = Instant::now();
        while !wanted(self) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(e) => panic!("{e}: never {what} on the screen:\n{}", self.screen()),
            }
        }
    }

    /// Gives the terminal another size, as a person does who pulls at its window.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let window = libc::winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: the descriptor is open, and TIOCSWINSZ reads one winsize.
        let set = unsafe {
            libc::ioctl(
                self.keyboard.as_raw_fd(),
                libc::TIOCSWINSZ,
                &raw const window,
            )
        };
        assert_eq!(set, 0, "no new size");
        self.screen.screen_mut().set_size(size(rows), size(columns));
        self.width = columns;
    }

    /// Whether a program has taken the whole screen.
    pub fn is_whole(&self) -> bool {
        self.screen.screen().alternate_screen()
    }

    /// Waits for a question that has not been answered: the cursor stands behind it.
    pub fn wait_for_question(&mut self) {
        let asked = |screen: &vt100::Screen| {
            let (row, _) = screen.cursor_position();
            let lines: Vec<String> = screen.rows(0, screen.size().1.get()).collect();
            lines[usize::from(row)].trim_end().ends_with("[n]o")
        };
        let start = Instant::now();
        while !asked(self.screen.screen()) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(e) => panic!("{e}: no question on the screen:\n{}", self.screen()),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.written.push_str(&String::from_utf8_lossy(bytes));
    }

    /// Waits for the end: an exit code, or 128 and the signal's number.
    pub fn end(&mut self) -> i32 {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.take(&bytes);
        }
        let status = self.child.wait().unwrap();
        let by_signal = status.signal().map(|signal| 128 + signal);
        status.code().or(by_signal).unwrap()
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: kill has no memory effects; the process is one that this test started.
        unsafe { libc::kill(pid, signal) };
    }

    /// Whether lines are edited and typed keys shown, as a shell expects to find it.
    pub fn is_sane(&self) -> bool {
        // SAFETY: termios is plain data, and tcgetattr writes to nothing else.
        let settings = unsafe {
            let mut settings: libc::termios = std::mem::zeroed();
            libc::tcgetattr(self.keyboard.as_raw_fd(), &raw mut settings);
            settings
        };
        let wanted = libc::ICANON | libc::ECHO | libc::ISIG;
        settings.c_lflag & wanted == wanted && self.shows_cursor()
    }

    /// Lines that are longer than the terminal is wide.
    pub fn too_long(&self) -> Vec<String> {
        let text = console::strip_ansi_codes(&self.written).replace("\r\n", "\n");
        let lines = text.lines().flat_map(|line| line.split('\r'));
        let width = usize::from(self.width);
        lines
            .filter(|line| console::measure_text_width(line) > width)
            .map(str::to_string)
            .collect()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn pair(rows: u16, columns: u16) -> (File, OwnedFd) {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut ours, mut theirs) = (-1, -1);
    // SAFETY: openpty writes two descriptors, which are ours alone from then on.
    unsafe {
        let (no_name, no_settings) = (std::ptr::null_mut(), std::ptr::null_mut());
        let made = libc::openpty(
            &mut ours,
            &mut theirs,
            no_name,
            no_settings,
            &raw const size as *mut _,
        );
        assert_eq!(made, 0, "no pseudo-terminal");
        libc::fcntl(ours, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(theirs, libc::F_SETFD, libc::FD_CLOEXEC);
        (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
    }
}
