//! The text of a campaign file, and the mistakes found in it.

use super::{Diagnostic, Severity, Taxonomy};
use std::{ops::Range, path::PathBuf};

/// Longer lines are shown around the place only.
const EXCERPT_WIDTH: usize = 110;

/// Collects what is wrong with one file.
pub(super) struct Source<'a> {
    pub file: PathBuf,
    pub text: &'a str,
    pub found: Vec<Diagnostic>,
    /// Subjects are looked up in it, where there is one.
    pub taxonomy: Option<&'a Taxonomy>,
}

impl<'a> Source<'a> {
    pub fn new(file: PathBuf, text: &'a str) -> Self {
        Self { file, text, found: Vec::new(), taxonomy: None }
    }

    pub fn error(&mut self, span: Range<usize>, code: &'static str, message: String, hint: Option<String>) {
        self.add(Severity::Error, span, code, message, hint);
    }

    pub fn warning(&mut self, span: Range<usize>, code: &'static str, message: String, hint: Option<String>) {
        self.add(Severity::Warning, span, code, message, hint);
    }

    fn add(
        &mut self,
        severity: Severity,
        span: Range<usize>,
        code: &'static str,
        message: String,
        hint: Option<String>,
    ) {
        let (line, column) = self.place(span.start);
        let excerpt = Some(self.excerpt(span, line, column));
        let file = self.file.clone();
        self.found.push(Diagnostic { severity, code, file, line, column, message, hint, excerpt });
    }

    /// Line and column of a byte, from 1, the column in characters.
    pub fn place(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..self.boundary(byte)).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |rest| rest.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }

    /// The nearest place before `byte` where a character begins.
    fn boundary(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }

    fn excerpt(&self, span: Range<usize>, line: usize, column: usize) -> String {
        let content: Vec<char> = self
            .text
            .lines()
            .nth(line - 1)
            .unwrap_or_default()
            .chars()
            // A tab or an escape sequence would move the carets, or the terminal's cursor.
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let (start, end) = (self.boundary(span.start), self.boundary(span.end));
        let marked = self.text.get(start..end).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().chars().count();

        let from = if column > EXCERPT_WIDTH / 2 && content.len() > EXCERPT_WIDTH {
            column - EXCERPT_WIDTH / 2
        } else {
            0
        };
        let shown: String = content.iter().skip(from).take(EXCERPT_WIDTH).collect();
        let indent = column - 1 - from;
        let carets = marked.clamp(1, EXCERPT_WIDTH.saturating_sub(indent).max(1));
        let margin = line.to_string();
        let blank = " ".repeat(margin.len());
        format!("  {margin} | {shown}\n  {blank} | {}{}", " ".repeat(indent), "^".repeat(carets))
    }
}

/// The known word nearest to what was written, where one is near enough to be meant.
pub(super) fn nearest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let found = found.to_lowercase();
    let limit = (found.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| (distance(&found, &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Letters to insert, delete, exchange or swap with their neighbour to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let cost = usize::from(a[i - 1] != b[j - 1]);
                let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}
