//! What is recorded is on disk, in order, chained; and nothing that goes wrong with the store stops the caller.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{WAIT, at, decision, gate, impression};
use facialads_campaign::History as _;
use facialads_ledger::{
    ChainState, ConsentChange, ConsentKind, Event, EventKind, Ledger, Notice, Settings, erase_links,
    linked_records, verify_chain,
};
use jiff::Timestamp;
use rusqlite::Connection;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

fn count(path: &std::path::Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn events_are_on_disk_after_a_flush_and_their_chain_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/yet/there/ledger.db");
    let ledger = Ledger::shared(&path);
    for epoch in 0..1000 {
        assert!(ledger.record(gate(epoch)));
    }
    assert!(ledger.flush(WAIT));
    assert_eq!(ledger.stats().recorded, 1000);
    assert_eq!(verify_chain(&path).unwrap(), ChainState::Whole { rows: 1000, purged: 0, before: 0 });
    let bodies: Vec<String> = Connection::open(&path)
        .unwrap()
        .prepare("SELECT body FROM log ORDER BY seq")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (epoch, body) in bodies.iter().enumerate() {
        assert!(body.contains(&format!("\"epoch\":{epoch},")), "row {epoch} is {body}");
    }
}

#[test]
fn one_writer_serves_every_spelling_of_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let first = Ledger::shared(&folder.path().join("ledger.db"));
    let second = Ledger::shared(&folder.path().join(".").join("ledger.db"));
    assert!(second.record(gate(1)));
    assert!(first.flush(WAIT));
    assert_eq!(first.stats().recorded, 1);
    drop(first);
    assert!(second.record(gate(2)) && second.flush(WAIT), "a clone that goes leaves the others their writer");
}

#[test]
fn the_last_handle_writes_out_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    for epoch in 0..50 {
        ledger.record(gate(epoch));
    }
    drop(ledger);
    assert_eq!(verify_chain(&path).unwrap(), ChainState::Whole { rows: 50, purged: 0, before: 0 });
}

#[test]
fn two_writers_of_one_file_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let link = folder.path().join("other-name.db");
    let first = Ledger::shared(&path);
    assert!(first.record(gate(0)) && first.flush(WAIT));
    // Another name: another writer, as in another process.
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let second = Ledger::shared(&link);
    for epoch in 0..40 {
        assert!(first.record(gate(epoch)) && second.record(gate(epoch)));
        if epoch % 10 == 0 {
            assert!(first.flush(WAIT) && second.flush(WAIT));
        }
    }
    assert!(first.flush(WAIT) && second.flush(WAIT));
    assert_eq!(verify_chain(&path).unwrap(), ChainState::Whole { rows: 81, purged: 0, before: 0 });
}

#[test]
fn a_changed_a_missing_and_a_foreign_row_break_the_chain_where_they_are() {
    for (change, broken) in [
        ("UPDATE log SET body = replace(body, 'granted', 'grantee') WHERE seq = 3", 3),
        ("UPDATE log SET at = at + 1 WHERE seq = 4", 4),
        ("UPDATE log SET kind = 'skipped' WHERE seq = 4", 4),
        ("DELETE FROM log WHERE seq = 5", 6),
        ("UPDATE log SET digest = zeroblob(32), body = NULL WHERE seq = 2", 2),
        ("UPDATE log SET prev = x'00' WHERE seq = 2", 2),
        ("DELETE FROM log WHERE seq = 1", 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let ledger = Ledger::shared(&path);
        (0..8).for_each(|epoch| assert!(ledger.record(gate(epoch))));
        assert!(ledger.flush(WAIT));
        assert_eq!(Connection::open(&path).unwrap().execute(change, []).unwrap(), 1);
        match verify_chain(&path).unwrap() {
            ChainState::Broken { seq, .. } => assert_eq!(seq, broken, "after {change}"),
            whole => panic!("{whole:?} after {change}"),
        }
    }
}

#[test]
fn a_locked_store_stops_recording_says_so_once_and_loses_nothing_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::with_settings(&path, Settings { queue: 20, ..Settings::default() });
    let notices = Arc::new(Mutex::new(Vec::new()));
    let _observer = ledger.observe({
        let notices = notices.clone();
        move |notice| notices.lock().unwrap().push(notice.clone())
    });
    assert!(ledger.record(gate(0)) && ledger.flush(WAIT));

    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(ledger.record(gate(1)));
    assert!(!ledger.flush(Duration::from_secs(2)));
    assert!(ledger.stats().error.unwrap().contains("locked"));

    // What does not fit is dropped and counted, and the caller is never held up.
    let started = Instant::now();
    let accepted = (0..500).filter(|epoch| ledger.record(gate(*epoch))).count() as u64;
    assert!(started.elapsed() < Duration::from_secs(5), "recording waited for the lock");
    assert!(accepted < 500);
    assert_eq!(ledger.stats().dropped, [(EventKind::Gate, 500 - accepted)].into());

    other.execute_batch("ROLLBACK").unwrap();
    assert!(ledger.flush(WAIT));
    assert_eq!(ledger.stats().error, None);
    assert_eq!(ledger.stats().recorded, 2 + accepted);
    assert_eq!(count(&path, "SELECT count(*) FROM log") as u64, 2 + accepted);
    let notices = notices.lock().unwrap();
    assert!(matches!(&notices[0], Notice::Stopped { hint, .. } if hint.contains("another program")));
    assert_eq!(notices[1], Notice::Resumed { dropped: 500 - accepted });
    assert_eq!(notices.len(), 2, "{notices:?}");
}

#[test]
fn a_full_store_stops_recording_and_the_rest_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let settings = Settings { largest: Some(64 * 1024), queue: 100_000, ..Settings::default() };
    let ledger = Ledger::with_settings(&path, settings);
    (0..5_000).for_each(|epoch| assert!(ledger.record(gate(epoch))));
    assert!(!ledger.flush(Duration::from_secs(3)));
    let stats = ledger.stats();
    assert!(stats.error.unwrap().contains("full"));
    assert!(stats.queued > 0);
    // A late observer learns of it at once.
    let told = Arc::new(Mutex::new(None));
    let _observer = ledger.observe({
        let told = told.clone();
        move |notice| *told.lock().unwrap() = Some(notice.clone())
    });
    let told = told.lock().unwrap().clone();
    assert!(matches!(told, Some(Notice::Stopped { hint, .. }) if hint.contains("free space")));
    assert!(matches!(verify_chain(&path).unwrap(), ChainState::Whole { .. }));
}

#[test]
fn a_corrupt_file_is_left_alone_and_replaced_once_it_is_moved_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(&path, "this is no database, whatever its name says ".repeat(100)).unwrap();
    let ledger = Ledger::shared(&path);
    assert!(ledger.record(gate(0)));
    assert!(!ledger.flush(Duration::from_secs(1)));
    assert!(ledger.stats().error.unwrap().contains("not a database"));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is no database"));

    std::fs::rename(&path, folder.path().join("aside")).unwrap();
    assert!(ledger.flush(WAIT));
    assert_eq!(verify_chain(&path).unwrap(), ChainState::Whole { rows: 1, purged: 0, before: 0 });
}

#[test]
fn a_file_moved_away_while_it_is_written_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    assert!(ledger.record(gate(0)) && ledger.flush(WAIT));
    std::fs::rename(&path, folder.path().join("aside.db")).unwrap();
    assert!(ledger.record(gate(1)) && ledger.flush(WAIT));
    assert_eq!(count(&path, "SELECT count(*) FROM log"), 1, "the new file has the new record");
}

#[test]
fn another_programs_database_and_a_newer_ledger_are_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE customers (name TEXT)").unwrap();
    let ledger = Ledger::shared(&path);
    ledger.record(gate(0));
    assert!(!ledger.flush(Duration::from_secs(1)));
    assert!(ledger.stats().error.unwrap().contains("another program"));
    assert_eq!(count(&path, "SELECT count(*) FROM sqlite_schema"), 1);

    let path = folder.path().join("newer.db");
    drop(Ledger::shared(&path));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let ledger = Ledger::shared(&path);
    ledger.record(gate(0));
    assert!(!ledger.flush(Duration::from_secs(1)));
    assert!(ledger.stats().error.unwrap().contains("version 7"));
}

#[test]
fn a_folder_in_the_place_of_the_file_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::shared(folder.path());
    assert!(ledger.record(gate(0)));
    assert!(!ledger.flush(Duration::from_secs(1)));
    assert!(ledger.stats().error.is_some());
    drop(ledger);
}

#[test]
fn history_counts_plays_per_screen_also_those_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    for second in [-7200, -1800, -60] {
        ledger.record(Event::Impression(impression("lobby", "spring", at(second))));
    }
    ledger.record(Event::Impression(impression("door", "spring", at(-60))));
    let mut unseen = impression("lobby", "spring", at(-50));
    (unseen.frames, unseen.samples) = (0, 0);
    ledger.record(Event::Impression(unseen));
    let counts = |ledger: &Ledger| {
        let history = ledger.history("lobby");
        [-3600, -90_000].map(|since| history.plays("spring", at(since)))
    };
    assert_eq!(counts(&ledger), [2, 3], "at once, before anything is written");
    assert!(ledger.flush(WAIT));
    drop(ledger);

    let ledger = Ledger::shared(&path);
    let deadline = Instant::now() + WAIT;
    while !ledger.history_loaded() {
        assert!(Instant::now() < deadline, "the history was never loaded");
        std::thread::yield_now();
    }
    assert_eq!(counts(&ledger), [2, 3]);
    let creative = facialads_campaign::CreativeRef { campaign: "spring".into(), creative: "a".into() };
    let last = ledger.history("lobby").last_play(&creative).unwrap();
    assert!((at(-60).as_second() - last.as_second()).abs() <= 60);
    assert_eq!(ledger.history("nowhere").plays("spring", Timestamp::MIN), 0);
}

#[test]
fn receipts_are_linked_in_a_table_of_their_own_and_erasing_leaves_the_chain_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    let chosen = decision("lobby", "spring", Some(1), &["digest-of-anna", "digest-of-ben"]);
    let mut shown = impression("lobby", "spring", Timestamp::now());
    shown.decision.clone_from(&chosen.id);
    ledger.record(Event::Consent(ConsentChange {
        screen: "lobby".to_owned(),
        at: Timestamp::now(),
        change: ConsentKind::Granted,
        purposes: vec!["measurement".to_owned()],
        receipt: Some("digest-of-anna".to_owned()),
    }));
    ledger.record(Event::Decision(chosen));
    ledger.record(Event::Impression(shown));
    assert!(ledger.flush(WAIT));

    assert_eq!(count(&path, "SELECT count(*) FROM log WHERE body LIKE '%digest-of%'"), 0);
    let kinds = |receipt: &str| -> Vec<String> {
        let records = linked_records(&path, receipt).unwrap();
        records.iter().map(|r| r["record"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds("digest-of-anna"), ["consent", "decision", "impression"]);
    assert_eq!(kinds("digest-of-nobody"), Vec::<String>::new());

    assert_eq!(erase_links(&path, "digest-of-anna").unwrap(), 2);
    assert_eq!(erase_links(&path, "digest-of-anna").unwrap(), 0, "doing it twice is the same");
    assert_eq!(kinds("digest-of-anna"), Vec::<String>::new());
    assert_eq!(kinds("digest-of-ben"), ["decision", "impression"]);
    assert_eq!(verify_chain(&path).unwrap(), ChainState::Whole { rows: 3, purged: 0, before: 0 });
    ledger.flush(WAIT);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|w| w == b"digest-of-anna"), "the erased receipt is still on disk");
    }
}

#[test]
fn records_past_their_retention_are_purged_on_opening_and_the_chain_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let day = 86_400;
    let ledger = Ledger::shared(&path);
    // The fourth was recorded with the clock set back; a purge must take it and leave its neighbours.
    for days in [-50, -45, -3, -60, -2] {
        ledger.record(Event::Impression(impression("old-and-new", "spring", at(days * day))));
    }
    let mut old = decision("lobby", "spring", Some(1), &["old-receipt"]);
    old.at = at(-40 * day);
    ledger.record(Event::Decision(old));
    assert!(ledger.flush(WAIT));
    assert_eq!(verify_chain(&path).unwrap(), ChainState::Whole { rows: 6, purged: 0, before: 0 });
    drop(ledger);

    // As if the program had been off for weeks: the purge happens when it is opened.
    let ledger = Ledger::with_settings(&path, Settings { retention_days: 30, ..Settings::default() });
    assert!(ledger.record(gate(1)) && ledger.flush(WAIT));
    assert_eq!(verify_chain(&path).unwrap(), ChainState::Whole { rows: 5, purged: 2, before: 2 });
    assert_eq!(count(&path, "SELECT count(*) FROM log WHERE kind = 'impression'"), 2);
    assert_eq!(count(&path, "SELECT count(*) FROM receipt_links"), 0);
}

#[test]
fn the_queue_and_the_debug_output_show_nothing_of_anybody() {
    let counted = common::audience("lobby", 1, "female", 27.0, Timestamp::now());
    let shown = format!("{:?}", Event::Audience(counted));
    for attribute in ["female", "happy", "25-34", "From25", "spring"] {
        assert!(!shown.contains(attribute), "{shown}");
    }
}
