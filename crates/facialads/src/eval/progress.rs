//! How far it is, on the error output, where a person is looking at it.

use std::io::{IsTerminal, Write};

pub struct Progress {
    of: Option<usize>,
    done: usize,
    shown: bool,
}

impl Progress {
    /// `of`: how many there are, where that is known.
    pub fn new(of: Option<usize>) -> Self {
        Self { of, done: 0, shown: std::io::stderr().is_terminal() }
    }

    pub fn step(&mut self) {
        self.done += 1;
        if self.shown && self.done.is_multiple_of(10) {
            match self.of {
                Some(of) => eprint!("\r{} of {of}", self.done),
                None => eprint!("\r{}", self.done),
            }
            let _ = std::io::stderr().flush();
        }
    }

    /// A line that must not be overwritten.
    pub fn say(&self, line: &str) {
        if self.shown {
            eprint!("\r");
        }
        eprintln!("{line}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown && self.done >= 10 {
            eprintln!("\r{} done          ", self.done);
        }
    }
}
