//! Hourly buckets: with few viewers nothing that describes one of them is ever written.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{WAIT, at, audience, gate};
use facialads_ledger::{ConsentChange, ConsentKind, Event, Ledger};
use jiff::Timestamp;
use rusqlite::Connection;
use std::path::Path;

/// Dimension, band, people, over all buckets.
fn cells(path: &Path) -> Vec<(String, String, i64)> {
    let store = Connection::open(path).unwrap();
    let mut statement = store
        .prepare("SELECT dimension, band, sum(people) FROM buckets GROUP BY 1, 2 ORDER BY 1, 2")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// In the middle of an hour that is over.
fn earlier() -> Timestamp {
    let second = at(-7200).as_second();
    Timestamp::from_second(second - second.rem_euclid(3600) + 1800).unwrap()
}

/// In an hour that does not end while a test runs.
fn not_yet_over() -> Timestamp {
    at(7200)
}

#[test]
fn a_full_run_with_one_viewer_leaves_nothing_about_them_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    ledger.record(gate(1));
    ledger.record(Event::Audience(audience("lobby", 1, "female", 27.0, not_yet_over())));
    assert!(ledger.flush(WAIT));
    drop(ledger);
    assert_eq!(cells(&path), []);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for word in ["female", "happy", "25-34"] {
            assert!(!bytes.windows(word.len()).any(|w| w == word.as_bytes()), "\"{word}\" is on disk");
        }
    }
}

#[test]
fn three_people_are_written_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    let now = not_yet_over();
    for (gender, years) in [("female", 27.0), ("male", 30.0), ("male", 12.0)] {
        ledger.record(Event::Audience(audience("lobby", 1, gender, years, now)));
    }
    assert!(ledger.flush(WAIT));
    let cell = |dimension: &str, band: &str, people| (dimension.to_owned(), band.to_owned(), people);
    assert_eq!(
        cells(&path),
        [
            cell("age", "25-34", 2),
            cell("emotion", "happy", 3),
            cell("gender", "female", 1),
            cell("gender", "male", 2),
            cell("people", "", 3),
        ],
        "somebody below 18 is in no band"
    );
}

#[test]
fn the_rest_of_an_hour_is_written_as_a_number_without_bands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    ledger.record(Event::Audience(audience("lobby", 2, "female", 27.0, earlier())));
    // The hour is over at the writer's next round, which the second flush waits for.
    assert!(ledger.flush(WAIT));
    for _ in 0..2 {
        assert!(ledger.record(gate(1)) && ledger.flush(WAIT));
    }
    assert_eq!(cells(&path), [("people".to_owned(), String::new(), 2)]);
}

#[test]
fn a_withdrawal_forgets_what_was_not_yet_written_on_its_screen() {
    let withdrawn = |screen: &str, at| {
        Event::Consent(ConsentChange {
            screen: screen.to_owned(),
            at,
            change: ConsentKind::Withdrawn,
            purposes: Vec::new(),
            receipt: None,
        })
    };
    assert_eq!(screens_after(withdrawn), ["door"]);
}

#[test]
fn a_change_of_consent_that_another_process_took_forgets_it_too() {
    // All that a pipeline sees of a withdrawal by `facialads consent withdraw` is its own gate.
    assert_eq!(screens_after(|screen, _| Event::Forget { screen: screen.to_owned() }), ["door"]);
}

/// Two people on each screen, then a change on the lobby's, then one more on each: the screens of which bands were written.
fn screens_after(change: impl Fn(&str, Timestamp) -> Event) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    let now = not_yet_over();
    for screen in ["lobby", "door"] {
        ledger.record(Event::Audience(audience(screen, 2, "female", 27.0, now)));
    }
    ledger.record(change("lobby", now));
    for screen in ["lobby", "door"] {
        ledger.record(Event::Audience(audience(screen, 1, "male", 50.0, now)));
    }
    assert!(ledger.flush(WAIT));
    let store = Connection::open(&path).unwrap();
    let mut screens = store.prepare("SELECT DISTINCT screen FROM buckets").unwrap();
    screens.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn words_that_are_no_band_never_reach_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    let mut counted = audience("lobby", 3, "anna@example.org", 27.0, Timestamp::now());
    counted.emotions = [("in love".to_owned(), 3)].into();
    ledger.record(Event::Audience(counted));
    assert!(ledger.flush(WAIT));
    let bands: Vec<String> = cells(&path).into_iter().map(|(_, band, _)| band).collect();
    assert_eq!(bands, ["25-34", ""]);
}
