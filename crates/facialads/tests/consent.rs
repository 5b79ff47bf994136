//! `facialads consent` as an operator runs it, and a gate that another process watches.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_consent::{
    GateRules, GateState, Policy, Purposes, Reading, Site, Store, Watch, Watcher, Zone, wall_clock,
};
use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{Mutex, mpsc},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(60);

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("facialads/consent.db")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_facialads"));
        command.arg("consent").args(arguments);
        command.env_remove("FACIALADS_STATE").env("XDG_STATE_HOME", self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn bad(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Grants on "lobby" and returns the receipt.
    fn grant(&self, more: &[&str]) -> String {
        let mut arguments =
            vec!["grant", "--screen", "lobby", "--purposes", "measurement,personalisation", "--json"];
        arguments.extend(more);
        let receipt: serde_json::Value = serde_json::from_str(&self.good(&arguments)).unwrap();
        receipt["receipt"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_grant_is_printed_with_its_receipt_and_stored_where_the_gate_looks() {
    let place = Place::new();
    let text = place.good(&["grant", "--screen", "lobby", "--purposes", "measurement", "--minutes", "5"]);
    let receipt = text.lines().find_map(|line| line.strip_prefix("Receipt: ")).unwrap();
    assert_eq!(receipt.len(), 32);
    let grants = Store::open(&place.store()).unwrap().active("lobby", wall_clock()).unwrap();
    assert_eq!(grants.len(), 1);
    assert!(!grants[0].adult, "nobody is an adult who has not said so");
    assert_eq!(grants[0].expires_at - grants[0].granted_at, 5 * 60 * 1_000_000_000);
}

#[test]
fn a_receipt_as_json_says_what_was_agreed() {
    let place = Place::new();
    let text = place.good(&[
        "grant",
        "--screen",
        "lobby",
        "--purposes",
        "measurement,emotion",
        "--adult",
        "--language",
        "pt-BR",
        "--json",
    ]);
    let receipt: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(receipt["purposes"], serde_json::json!(["measurement", "emotion"]));
    assert_eq!(receipt["adult"], true);
    assert_eq!(receipt["notice"], serde_json::json!({ "version": "1", "language": "pt-BR" }));
    let time = |field: &str| receipt[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time("expires_at").duration_since(time("granted_at")).as_secs(), 15 * 60);
}

#[test]
fn withdrawing_answers_the_same_whatever_the_receipt_was() {
    let place = Place::new();
    let receipt = place.grant(&[]);
    let guess = "a".repeat(32);
    let answers: Vec<_> = [guess.as_str(), "nonsense", &receipt, &receipt]
        .iter()
        .map(|receipt| {
            let output = place.run(&["withdraw", receipt]);
            (output.status.code(), output.stdout, output.stderr)
        })
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == Some(0)), "{answers:?}");
    assert_eq!(Store::open(&place.store()).unwrap().active("lobby", wall_clock()).unwrap(), []);
}

#[test]
fn a_receipt_can_be_given_on_standard_input_where_nobody_sees_it() {
    let place = Place::new();
    let receipt = place.grant(&[]);
    let mut child =
        place.command(&["withdraw", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{receipt}").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(Store::open(&place.store()).unwrap().active("lobby", wall_clock()).unwrap(), []);
}

#[test]
fn a_list_shows_standing_and_never_a_receipt() {
    let place = Place::new();
    let first = place.grant(&["--adult"]);
    let second = place.grant(&[]);
    place.good(&["withdraw", &first]);
    place.good(&["grant", "--screen", "cafe", "--purposes", "measurement"]);
    let all = place.good(&["list"]);
    assert_eq!(all.lines().count(), 4);
    assert!(all.contains("withdrawn") && all.contains("active") && all.contains("cafe"));
    let lobby = place.good(&["list", "--screen", "lobby"]);
    assert_eq!(lobby.lines().count(), 3);
    let json = place.good(&["list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    for text in [&all, &lobby, &json] {
        assert!(!text.contains(&first) && !text.contains(&second));
        for grant in Store::open(&place.store()).unwrap().list(None).unwrap() {
            assert!(!text.contains(&grant.digest), "not the whole digest either");
        }
    }
    assert_eq!(place.good(&["list", "--screen", "nowhere"]), "No grants.\n");
}

#[test]
fn bad_input_is_refused_with_a_message_that_helps() {
    let place = Place::new();
    let long = "x".repeat(65);
    let cases: &[(&[&str], &str)] = &[
        (&["grant", "--screen", "s", "--purposes", "mindreading"], "known are measurement, demographics"),
        (&["grant", "--screen", "s", "--purposes", "demographics"], "add measurement"),
        (&["grant", "--screen", "s", "--purposes", ""], "no purpose"),
        (&["grant", "--screen", "s"], "--purposes"),
        (&["grant", "--purposes", "measurement"], "--screen"),
        (
            &["grant", "--screen", "s", "--purposes", "measurement", "--minutes", "0"],
            "between 1 minute and 1440",
        ),
        (
            &["grant", "--screen", "s", "--purposes", "measurement", "--minutes", "1441"],
            "between 1 minute and 1440",
        ),
        (
            &["grant", "--screen", "s", "--purposes", "measurement", "--minutes", "18446744073709551615"],
            "between 1",
        ),
        (&["grant", "--screen", "s", "--purposes", "measurement", "--minutes", "-3"], "-3"),
        (&["grant", "--screen", &long, "--purposes", "measurement"], "longer than 64"),
        (&["grant", "--screen", " ", "--purposes", "measurement"], "needs a name"),
        (&["grant", "--screen", "s", "--purposes", "measurement", "--language", "so many words"], "language"),
        (
            &["grant", "--screen", "s", "--purposes", "measurement", "--store", "/proc/none/c.db"],
            "/proc/none",
        ),
        (&["withdraw"], "RECEIPT"),
        (&["list", "--store", "/nonexistent/consent.db"], "no consent store"),
        (&["withdraw", "x", "--store", "/nonexistent/consent.db"], "no consent store"),
    ];
    for (arguments, part) in cases {
        let told = place.bad(arguments);
        assert!(told.contains(part), "{arguments:?}: {told}");
    }
    let none = Store::open(&place.store()).unwrap().list(None).unwrap();
    assert_eq!(none, [], "nothing was granted by mistake");
}

#[test]
fn changes_are_recorded_in_the_ledger_by_digest_alone() {
    let place = Place::new();
    let ledger = place.folder.path().join("ledger.db");
    let path = ledger.to_str().unwrap();
    let receipt = place.grant(&["--ledger", path]);
    place.good(&["withdraw", &receipt, "--ledger", path]);
    place.good(&["withdraw", &receipt, "--ledger", path]);
    let digest = Store::open(&place.store()).unwrap().list(None).unwrap()[0].digest.clone();
    let connection = rusqlite::Connection::open(&ledger).unwrap();
    let mut statement =
        connection.prepare("SELECT body FROM log WHERE kind = 'consent' ORDER BY seq").unwrap();
    let bodies: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let changes: Vec<serde_json::Value> =
        bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(changes.iter().map(|c| c["change"].clone()).collect::<Vec<_>>(), ["granted", "withdrawn"]);
    assert!(
        bodies
            .iter()
            .all(|body| body.contains("lobby") && !body.contains(&digest) && !body.contains(&receipt))
    );
    let links: i64 = connection
        .query_row("SELECT count(*) FROM receipt_links WHERE receipt = ?1", [&digest], |row| row.get(0))
        .unwrap();
    assert_eq!(links, 2);
}

#[test]
fn a_ledger_that_cannot_be_written_does_not_undo_a_grant() {
    let place = Place::new();
    let output = place.run(&[
        "grant",
        "--screen",
        "lobby",
        "--purposes",
        "measurement",
        "--ledger",
        "/proc/none/ledger.db",
    ]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("Receipt: "));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has not recorded it"));
}

#[test]
fn a_gate_in_another_process_follows_every_command() {
    let place = Place::new();
    let (sender, changes) = mpsc::channel();
    let sender = Mutex::new(sender);
    let rules = GateRules {
        screen: "lobby".into(),
        zone: Zone::FULL,
        site: Site::Public,
        policy: Policy::Strict,
        purposes: Purposes::all(),
    };
    let watch = Watch { store: place.store(), rules };
    let _watcher = Watcher::start(watch, move |r| drop(sender.lock().unwrap().send(r.clone()))).unwrap();
    let next = |open: bool| -> Reading {
        loop {
            let reading = changes.recv_timeout(PATIENCE).expect("a change");
            if reading.is_open() == open {
                return reading;
            }
        }
    };
    let mut epoch = next(false).epoch;
    for _ in 0..2 {
        let receipt = place.grant(&["--adult"]);
        let open = next(true);
        let GateState::Open(stamp) = &open.state else { panic!() };
        assert_eq!((stamp.max_faces, stamp.adult), (1, true));
        place.good(&["withdraw", &receipt]);
        let closed = next(false);
        assert!(epoch < open.epoch && open.epoch < closed.epoch);
        epoch = closed.epoch;
    }
}
