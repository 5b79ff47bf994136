//! What becomes known of a network while it runs: for the operator, on the bus.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Older ones are forgotten: nobody may have asked.
const MOST: usize = 32;

/// Something to be told of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// File name of the network without ending.
    pub model: String,
    pub kind: NoticeKind,
    /// In words, with what to do where something can be done.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The network has moved to another device, or runs less well than it could.
    Warning,
    /// Something that takes long is under way, for so long now; the network runs meanwhile.
    Progress(Duration),
    /// What took long is done.
    Done(Duration),
}

/// Notices of one network. Whoever shares it reads all of them, each with a number of its own.
#[derive(Debug, Default)]
pub struct Notices(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    kept: VecDeque<Notice>,
    /// How many there have ever been.
    count: u64,
}

impl Notices {
    /// Those from number `seen` on, oldest first; `seen` is then the number of the next one.
    pub fn since(&self, seen: &mut u64) -> Vec<Notice> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(log.count.saturating_sub(*seen)).unwrap_or(usize::MAX);
        *seen = log.count;
        if new == 0 {
            return Vec::new();
        }
        log.kept.iter().skip(log.kept.len().saturating_sub(new)).cloned().collect()
    }

    pub(crate) fn warn(&self, model: &str, text: impl Into<String>) {
        self.add(Notice { model: model.to_owned(), kind: NoticeKind::Warning, text: text.into() });
    }

    pub(crate) fn add(&self, notice: Notice) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.kept.len() == MOST {
            log.kept.pop_front();
        }
        log.kept.push_back(notice);
        log.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_gets_each_notice_once_and_old_ones_are_forgotten() {
        let notices = Notices::default();
        let (mut one, mut other) = (0, 0);
        let texts = |seen: &mut u64| -> Vec<String> {
            notices.since(seen).into_iter().map(|notice| notice.text).collect()
        };
        notices.warn("yunet", "a");
        assert_eq!(texts(&mut one), ["a"]);
        notices.warn("yunet", "b");
        assert_eq!(
            (texts(&mut one), texts(&mut other)),
            (vec!["b".to_owned()], vec!["a".to_owned(), "b".to_owned()])
        );
        (0..100).for_each(|i| notices.warn("yunet", i.to_string()));
        assert_eq!(texts(&mut one).len(), MOST);
        assert!(texts(&mut one).is_empty());
    }
}
