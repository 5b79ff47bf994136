//! The watcher follows the store, closes on every doubt, and numbers its changes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_consent::{
    Clock, GateRules, GateState, NewGrant, Notice, Policy, Purpose, Purposes, Reading, Reason, Site, Stamp,
    Store, SystemClock, WallClock, Watch, Watcher, Zone, wall_clock,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    time::Duration,
};

/// Far longer than anything takes: only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

fn new_grant(purposes: &[Purpose], adult: bool) -> NewGrant {
    NewGrant {
        screen: "lobby".into(),
        purposes: purposes.iter().copied().collect(),
        adult,
        duration: Duration::from_secs(15 * 60),
        notice: Notice { version: "1".into(), language: "en".into() },
        method: "operator".into(),
    }
}

fn everything() -> NewGrant {
    new_grant(&Purpose::ALL, true)
}

fn rules() -> GateRules {
    GateRules {
        screen: "lobby".into(),
        zone: Zone::FULL,
        site: Site::Public,
        policy: Policy::Strict,
        purposes: Purposes::all(),
    }
}

struct Watched {
    watcher: Watcher,
    changes: mpsc::Receiver<Reading>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Watched {
    fn new() -> Self {
        Self::with(rules(), Arc::new(SystemClock::default()))
    }

    fn with(rules: GateRules, clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consent.db");
        let (sender, changes) = mpsc::channel();
        let sender = Mutex::new(sender);
        let watch = Watch { store: path.clone(), rules };
        let watcher = Watcher::start_with(watch, clock, move |reading| {
            drop(sender.lock().unwrap().send(reading.clone()))
        })
        .unwrap();
        Self { watcher, changes, path, _folder: folder }
    }

    fn store(&self) -> Store {
        Store::open(&self.path).unwrap()
    }

    fn next(&self) -> Reading {
        self.changes.recv_timeout(PATIENCE).expect("the watcher tells of a change")
    }

    fn next_open(&self) -> Arc<Stamp> {
        let reading = self.next();
        match reading.state {
            GateState::Open(stamp) => {
                assert_eq!(stamp.epoch, reading.epoch);
                stamp
            }
            GateState::Closed(reason) => panic!("closed: {reason}"),
        }
    }

    fn next_closed(&self) -> Reason {
        match self.next().state {
            GateState::Closed(reason) => reason,
            GateState::Open(_) => panic!("open"),
        }
    }

    /// Passes over changes until the gate closes for a reason like this.
    fn until_closed(&self, like: impl Fn(&Reason) -> bool) {
        while !matches!(self.next().state, GateState::Closed(reason) if like(&reason)) {}
    }

    fn until_open(&self) -> Arc<Stamp> {
        loop {
            if let GateState::Open(stamp) = self.next().state {
                return stamp;
            }
        }
    }
}

#[test]
fn without_a_store_it_is_closed_says_how_to_make_one_and_opens_when_there_is_one() {
    let watched = Watched::new();
    let reason = watched.next_closed();
    assert!(matches!(reason, Reason::NoStore { .. }), "{reason}");
    assert!(reason.to_string().contains("facialads consent grant --screen \"lobby\""), "{reason}");
    let store = watched.store();
    store.grant(&everything(), wall_clock()).unwrap();
    assert_eq!(watched.until_open().max_faces, 1);
}

#[test]
fn it_opens_with_a_grant_and_closes_with_its_withdrawal_under_growing_epochs() {
    let watched = Watched::new();
    let store = watched.store();
    watched.until_closed(|r| matches!(r, Reason::NoGrant { .. }));
    let mut last = watched.watcher.reading().epoch;
    for _ in 0..3 {
        let (receipt, grant) = store.grant(&everything(), wall_clock()).unwrap();
        let stamp = watched.next_open();
        assert_eq!((stamp.max_faces, stamp.adult, stamp.expires), (1, true, grant.expires_at));
        assert_eq!(stamp.receipts, [grant.digest]);
        assert!(stamp.epoch > last);
        store.withdraw(receipt.reveal(), wall_clock()).unwrap();
        let closed = watched.next();
        assert!(closed.epoch > stamp.epoch);
        last = closed.epoch;
        assert_eq!(closed.state, GateState::Closed(Reason::Withdrawn { screen: "lobby".into() }));
        assert_eq!(watched.watcher.reading().epoch, last);
    }
}

#[test]
fn two_viewers_are_held_to_what_both_agreed_to() {
    let watched = Watched::new();
    let store = watched.store();
    store.grant(&everything(), wall_clock()).unwrap();
    assert_eq!(watched.until_open().purposes, Purposes::all());
    let (receipt, _) = store
        .grant(&new_grant(&[Purpose::Measurement, Purpose::Personalisation], false), wall_clock())
        .unwrap();
    let both = watched.next_open();
    assert_eq!(both.purposes.to_string(), "measurement,personalisation");
    assert_eq!((both.max_faces, both.adult, both.receipts.len()), (2, false, 2));
    store.withdraw(receipt.reveal(), wall_clock()).unwrap();
    let one = watched.next_open();
    assert_eq!((one.purposes, one.max_faces, one.adult), (Purposes::all(), 1, true));
    assert!(one.epoch > both.epoch);
}

#[test]
fn grants_that_share_nothing_useful_leave_it_closed() {
    let watched = Watched::new();
    let store = watched.store();
    store.grant(&new_grant(&[Purpose::Demographics, Purpose::Emotion], true), wall_clock()).unwrap();
    watched.until_closed(|r| matches!(r, Reason::NothingInCommon { .. }));
}

#[test]
fn a_grant_for_another_screen_opens_nothing() {
    let watched = Watched::new();
    let store = watched.store();
    watched.until_closed(|r| matches!(r, Reason::NoGrant { .. }));
    store.grant(&NewGrant { screen: "cafe".into(), ..everything() }, wall_clock()).unwrap();
    store.grant(&everything(), wall_clock()).unwrap();
    assert_eq!(watched.next_open().receipts.len(), 1, "the first change is that of our own screen");
}

#[test]
fn what_the_pipeline_does_not_ask_for_is_not_allowed_and_emotion_never_at_work() {
    let asked: Purposes = [Purpose::Measurement, Purpose::Demographics].into_iter().collect();
    let watched = Watched::with(GateRules { purposes: asked, ..rules() }, Arc::new(SystemClock::default()));
    watched.store().grant(&everything(), wall_clock()).unwrap();
    assert_eq!(watched.until_open().purposes, asked);

    let work =
        Watched::with(GateRules { site: Site::Workplace, ..rules() }, Arc::new(SystemClock::default()));
    work.store().grant(&everything(), wall_clock()).unwrap();
    assert_eq!(work.until_open().purposes, Purposes::all().without(Purpose::Emotion));
}

#[test]
fn a_store_that_is_taken_away_closes_it_and_one_that_comes_opens_it() {
    let watched = Watched::new();
    let store = watched.store();
    store.grant(&everything(), wall_clock()).unwrap();
    watched.until_open();
    // The watcher's connection is the last one, so that the journal holds the grant.
    drop(store);
    std::fs::remove_file(&watched.path).unwrap();
    assert_eq!(watched.next_closed(), Reason::Replaced);
    assert!(matches!(watched.next_closed(), Reason::NoStore { .. }));
    // The old journal is still there; it must not bring the old grant back.
    let (_, grant) = watched.store().grant(&everything(), wall_clock()).unwrap();
    assert_eq!(watched.until_open().receipts, [grant.digest]);
}

#[test]
fn a_store_that_is_replaced_closes_it_before_the_new_one_counts() {
    let watched = Watched::new();
    let store = watched.store();
    store.grant(&everything(), wall_clock()).unwrap();
    let first = watched.until_open();
    drop(store);
    let other = watched.path.with_file_name("other.db");
    let store = Store::open(&other).unwrap();
    store.grant(&everything(), wall_clock()).unwrap();
    drop(store);
    std::fs::rename(&other, &watched.path).unwrap();
    assert_eq!(watched.next_closed(), Reason::Replaced);
    let second = watched.until_open();
    assert!(second.epoch > first.epoch);
    assert_ne!(second.receipts, first.receipts);
}

#[test]
fn a_journal_that_is_taken_away_does_not_hide_a_withdrawal() {
    let watched = Watched::new();
    let store = watched.store();
    let (receipt, _) = store.grant(&everything(), wall_clock()).unwrap();
    watched.until_open();
    raw(&watched.path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(store);
    for journal in ["-wal", "-shm"] {
        std::fs::remove_file(with_suffix(&watched.path, journal)).unwrap();
    }
    watched.store().withdraw(receipt.reveal(), wall_clock()).unwrap();
    watched.until_closed(|r| matches!(r, Reason::Withdrawn { .. }));
}

#[test]
fn a_store_that_is_damaged_in_use_closes_it() {
    let watched = Watched::new();
    watched.store().grant(&everything(), wall_clock()).unwrap();
    watched.until_open();
    raw(&watched.path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&watched.path).unwrap();
    std::io::Write::write_all(&mut file, &[0x55; 40_000]).unwrap();
    watched.until_closed(|r| matches!(r, Reason::Store(why) if why.contains("damaged")));
}

#[test]
fn a_store_locked_for_itself_by_another_closes_it_until_it_lets_go() {
    let watched = Watched::new();
    watched.store().grant(&everything(), wall_clock()).unwrap();
    let before = watched.until_open();
    // Outside WAL, BEGIN EXCLUSIVE keeps readers out too. The watcher's connection has to let go for a moment before
    // the mode can be changed, so this may take several attempts.
    let other = raw(&watched.path);
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    std::fs::rename(&watched.path, watched.path.with_extension("away")).unwrap();
    watched.until_closed(|r| matches!(r, Reason::NoStore { .. }));
    drop(other);
    let away = watched.path.with_extension("away");
    for journal in ["-wal", "-shm"] {
        let from = with_suffix(&watched.path, journal);
        if from.exists() {
            std::fs::rename(from, with_suffix(&away, journal)).unwrap();
        }
    }
    let other = raw(&away);
    other.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(other);
    std::fs::rename(&away, &watched.path).unwrap();
    let again = watched.until_open();
    assert_eq!(again.receipts, before.receipts);

    let other = raw(&watched.path);
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    watched.until_closed(|r| matches!(r, Reason::Store(why) if why.contains("locked")));
    other.execute_batch("ROLLBACK").unwrap();
    watched.until_open();
}

#[test]
fn a_writer_that_takes_its_time_closes_nothing() {
    let watched = Watched::new();
    watched.store().grant(&everything(), wall_clock()).unwrap();
    let open = watched.until_open();
    let other = raw(&watched.path);
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE; UPDATE grants SET withdrawn_at = 5").unwrap();
    for _ in 0..5 {
        assert!(watched.watcher.wait_beat(PATIENCE));
    }
    assert!(watched.changes.try_recv().is_err(), "what is not committed has not happened");
    other.execute_batch("COMMIT").unwrap();
    assert!(watched.next().epoch > open.epoch);
}

#[test]
fn a_malformed_row_closes_it_and_a_newer_store_too() {
    let watched = Watched::new();
    watched.store().grant(&everything(), wall_clock()).unwrap();
    watched.until_open();
    raw(&watched.path).execute("UPDATE grants SET purposes = 'measurement,mind-reading'", []).unwrap();
    watched.until_closed(|r| matches!(r, Reason::Store(why) if why.contains("malformed")));
    raw(&watched.path).execute("UPDATE grants SET purposes = 'measurement'", []).unwrap();
    watched.until_open();
    raw(&watched.path).pragma_update(None, "user_version", 7).unwrap();
    // The layout is looked at when a store is opened.
    let copy = watched.path.with_file_name("copy.db");
    raw(&watched.path).execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    std::fs::rename(&copy, &watched.path).unwrap();
    watched.until_closed(|r| matches!(r, Reason::Store(why) if why.contains("version 7")));
}

/// The machine's clocks with the wall clock moved.
struct Moved {
    clock: SystemClock,
    by: AtomicI64,
}

impl Moved {
    fn new() -> Arc<Self> {
        Arc::new(Self { clock: SystemClock::default(), by: AtomicI64::new(0) })
    }
    fn step(&self, by: Duration, back: bool) {
        let by = by.as_nanos() as i64;
        self.by.fetch_add(if back { -by } else { by }, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn wall(&self) -> WallClock {
        self.clock.wall().saturating_add_signed(self.by.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

#[test]
fn it_closes_when_the_grant_expires() {
    let clock = Moved::new();
    let watched = Watched::with(rules(), clock.clone());
    watched.store().grant(&everything(), clock.wall()).unwrap();
    watched.until_open();
    clock.step(Duration::from_secs(16 * 60), false);
    assert_eq!(watched.next_closed(), Reason::Expired { screen: "lobby".into() });
}

#[test]
fn a_clock_set_back_closes_it_until_consent_is_given_anew() {
    let clock = Moved::new();
    let watched = Watched::with(rules(), clock.clone());
    let store = watched.store();
    store.grant(&everything(), clock.wall()).unwrap();
    watched.until_open();
    clock.step(Duration::from_secs(3600), true);
    assert_eq!(watched.next_closed(), Reason::ClockSetBack);
    let (_, anew) = store.grant(&everything(), clock.wall()).unwrap();
    assert_eq!(watched.next_open().receipts, [anew.digest], "only what was given since counts");
    clock.step(Duration::from_secs(3600), false);
    watched.until_closed(|r| matches!(r, Reason::Expired { .. }));
}

#[test]
fn a_clock_that_was_set_back_while_nobody_watched_is_found_out_from_the_store() {
    let clock = Moved::new();
    let watched = Watched::with(rules(), clock.clone());
    let store = watched.store();
    let before = clock.wall();
    store.grant(&everything(), before - 60_000_000_000).unwrap();
    store.grant(&everything(), before + 600_000_000_000).unwrap();
    watched.until_closed(|r| *r == Reason::ClockSetBack);
    let (_, anew) = store.grant(&everything(), clock.wall()).unwrap();
    assert_eq!(watched.until_open().receipts, [anew.digest]);
}

#[test]
fn a_small_correction_of_the_clock_closes_nothing() {
    let clock = Moved::new();
    let watched = Watched::with(rules(), clock.clone());
    watched.store().grant(&everything(), clock.wall()).unwrap();
    watched.until_open();
    clock.step(Duration::from_millis(300), true);
    for _ in 0..3 {
        assert!(watched.watcher.wait_beat(PATIENCE));
    }
    assert!(watched.changes.try_recv().is_err());
    // Steps add up: four of them are one of 1.2 s.
    clock.step(Duration::from_millis(900), true);
    assert_eq!(watched.next_closed(), Reason::ClockSetBack);
}

#[test]
fn a_watcher_that_does_not_answer_reads_as_closed_under_the_same_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consent.db");
    Store::open(&path).unwrap().grant(&everything(), wall_clock()).unwrap();
    let (hold, held) = mpsc::channel::<()>();
    let (told, tells) = mpsc::channel();
    let (held, told) = (Mutex::new(held), Mutex::new(told));
    // The second change is not let through: that is how a watcher gets stuck.
    let watcher = Watcher::start(Watch { store: path.clone(), rules: rules() }, move |reading| {
        told.lock().unwrap().send(reading.clone()).unwrap();
        if reading.is_open() {
            let _ = held.lock().unwrap().recv();
        }
    })
    .unwrap();
    let open = tells.recv_timeout(PATIENCE).unwrap();
    assert!(open.is_open());
    let stuck = wait_for(&watcher, |r| r.state == GateState::Closed(Reason::NoHeartbeat));
    assert_eq!(stuck.epoch, open.epoch);
    watcher.give_up_waiting();
    assert_eq!(watcher.reading().epoch, open.epoch, "a change is being told, so nothing is changed");
    drop(hold);
    let again = wait_for(&watcher, Reading::is_open);
    assert_eq!(again, open, "nothing changed, so nothing is new");

    watcher.give_up_waiting();
    let closed = tells.recv_timeout(PATIENCE).unwrap();
    assert_eq!(closed.state, GateState::Closed(Reason::NoHeartbeat));
    assert!(closed.epoch > open.epoch);
    let reopened = tells.recv_timeout(PATIENCE).unwrap();
    assert!(reopened.is_open() && reopened.epoch > closed.epoch);
}

fn wait_for(watcher: &Watcher, like: impl Fn(&Reading) -> bool) -> Reading {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let reading = watcher.reading();
        if like(&reading) {
            return reading;
        }
        assert!(std::time::Instant::now() < deadline, "still {reading:?}");
        std::thread::yield_now();
    }
}

#[test]
fn stopping_ends_it_and_leaves_it_closed() {
    let watched = Watched::new();
    watched.store().grant(&everything(), wall_clock()).unwrap();
    watched.until_open();
    watched.watcher.stop();
    let closed = wait_for(&watched.watcher, |r| !r.is_open());
    assert_eq!(closed.state, GateState::Closed(Reason::NoHeartbeat));
}

#[test]
fn a_watcher_may_be_dropped_from_its_own_callback() {
    let folder = tempfile::tempdir().unwrap();
    let slot: Arc<Mutex<Option<Watcher>>> = Arc::default();
    let (done, finished) = mpsc::channel();
    let done = Mutex::new(done);
    let theirs = Arc::clone(&slot);
    let mut filling = slot.lock().unwrap();
    let watch = Watch { store: folder.path().join("none.db"), rules: rules() };
    *filling = Some(
        Watcher::start(watch, move |_| {
            theirs.lock().unwrap().take();
            let _ = done.lock().unwrap().send(());
        })
        .unwrap(),
    );
    drop(filling);
    finished.recv_timeout(PATIENCE).unwrap();
}

fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
