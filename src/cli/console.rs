//! Words for a person, on standard error: a line at a time, and a line of progress that is rewritten on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::pace::Pace;

/// Between two lines of progress that are not rewritten: a log is read later.
const SPARSE: Duration = Duration::from_secs(10);
/// Between two states of a line on a terminal.
const REWRITTEN: Duration = Duration::from_millis(100);
/// Back to the start of the line, and empty it.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// A line on standard error. Nobody there to read it is no reason to stop.
pub(super) fn say(line: &str) {
    write_error(&format!("{line}\n"));
}

/// A result, on standard output. Nobody there to read it (`| head`) is an error that ends the program in silence.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn write_error(text: &str) {
    let mut stderr = std::io::stderr().lock();
    if stderr.write_all(text.as_bytes()).is_ok() {
        stderr.flush().unwrap_or(());
    }
}

/// Standard error with a line of progress at its end.
#[derive(Debug)]
pub(super) struct Console {
    is_terminal: bool,
    has_progress: bool,
    last_progress: Option<Instant>,
    pace: Pace,
}

impl Console {
    pub(super) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { is_terminal, has_progress: false, last_progress: None, pace: Pace::default() }
    }

    /// A line, above the line of progress.
    pub(super) fn say(&mut self, line: &str) {
        self.clear();
        say(line);
    }

    /// So much of the work is done. Shown at once on a terminal, now and then elsewhere, and always at the end.
    pub(super) fn progress(&mut self, what: &str, done: usize, total: usize) {
        let now = Instant::now();
        self.pace.add(now, done);
        let interval = if self.is_terminal { REWRITTEN } else { SPARSE };
        // Where nothing is rewritten, the first line comes after a while: that the work has begun is no news.
        let last = *self.last_progress.get_or_insert(now);
        let is_due = self.is_terminal && last == now || now.duration_since(last) >= interval;
        if !is_due && done < total {
            return;
        }
        self.last_progress = Some(now);
        let left = match self.pace.left(total) {
            Some(left) if done < total => format!(", {} left", duration_words(left)),
            _ => String::new(),
        };
        let line = format!("{what} {done} of {total}{left}");
        if self.is_terminal {
            write_error(&format!("{CLEAR_LINE}{line}"));
            self.has_progress = true;
        } else {
            say(&line);
        }
    }

    /// Takes the line of progress away.
    pub(super) fn clear(&mut self) {
        if self.has_progress {
            write_error(CLEAR_LINE);
            self.has_progress = false;
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `8 s`, `3 min 20 s`, `2 h 5 min`.
pub(super) fn duration_words(duration: Duration) -> String {
    let secs = duration.as_secs_f64().round() as u64;
    match (secs / 3600, secs % 3600 / 60, secs % 60) {
        (0, 0, secs) => format!("{secs} s"),
        (0, minutes, secs) => format!("{minutes} min {secs} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units_at_most() {
        let words = [0.4, 8.2, 200.0, 7500.0].map(|secs| duration_words(Duration::from_secs_f64(secs)));
        assert_eq!(words, ["0 s", "8 s", "3 min 20 s", "2 h 5 min"]);
    }
}
