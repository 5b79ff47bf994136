//! `facialads report`, as it is typed.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_ledger::{Decision, Event, Impression, Ledger};
use jiff::Timestamp;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

fn ledger(path: &Path) {
    let ledger = Ledger::shared(path);
    let at = Timestamp::now();
    ledger.record(Event::Decision(Decision {
        id: "1".to_owned(),
        screen: "lobby".to_owned(),
        break_id: "0".to_owned(),
        position: 0,
        at,
        running_time: Duration::from_secs(10),
        people: Some(1),
        basis: Some("by profile".to_owned()),
        no_profile: None,
        subject: vec!["Sports".to_owned()],
        campaign: Some("women".to_owned()),
        advertiser: Some("Aurora".to_owned()),
        creative: Some("w".to_owned()),
        why: "by profile".to_owned(),
        receipts: Vec::new(),
    }));
    ledger.record(Event::Impression(Impression {
        decision: "1".to_owned(),
        screen: "lobby".to_owned(),
        break_id: "0".to_owned(),
        campaign: "women".to_owned(),
        advertiser: "Aurora".to_owned(),
        creative: "w".to_owned(),
        at,
        start: Duration::from_secs(10),
        end: Duration::from_secs(15),
        frames: 125,
        held_frames: 0,
        samples: 240_000,
        quartile: 100,
        complete: true,
        end_reason: "complete".to_owned(),
    }));
    assert!(ledger.flush(Duration::from_secs(60)));
}

/// The campaign that the ledger above speaks of.
fn campaigns(folder: &Path) -> String {
    let file = folder.join("campaigns.toml");
    let text = "[[campaign]]\nid = \"women\"\nadvertiser = \"Aurora\"\nname = \"Aurora\"\ntarget = { gender = \"female\" }\n\
                [[campaign.creative]]\nid = \"w\"\npath = \"w.mp4\"\n";
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_facialads")).arg("report").args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn every_form_is_written_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    ledger(&folder.path().join("ledger.db"));
    let (store, html, csv, json) = (file("ledger.db"), file("r.html"), file("r.csv"), file("r.json"));
    let campaigns = campaigns(folder.path());
    let forms = ["--html", &html, "--csv", &csv, "--json", &json];
    let output =
        report(&[&["--ledger", &store, "--k", "1", "--campaigns", &campaigns][..], &forms[..]].concat());
    assert_eq!(out(&output), "", "no table unless asked for");

    let html = fs::read_to_string(html).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("wants female") && html.contains("k = 1"));
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 2);
    assert!(
        fs::read_to_string(file("r-campaigns.csv"))
            .unwrap()
            .contains("women,Aurora,w,1,125,0,5.000,1,1,1,1,0")
    );
    assert!(Path::new(&file("r-audience.csv")).exists());
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(json["breaks"][0]["people"]["count"], 1);
    assert_eq!(json["summary"]["chain_whole"], true);
}

#[test]
fn the_threshold_is_ten_unless_another_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("ledger.db");
    ledger(&store);
    let store = store.to_str().unwrap();
    let campaigns = campaigns(folder.path());
    let table = out(&report(&["--ledger", store, "--campaigns", &campaigns]));
    assert!(table.contains("few people") && !table.contains("female"), "{table}");
    let table = out(&report(&["--ledger", store, "--k", "1", "--table"]));
    assert!(!table.contains("female"), "the ledger does not say whom a campaign wanted: {table}");
    let table = out(&report(&["--ledger", store, "--k", "1", "--table", "--campaigns", &campaigns]));
    assert!(
        table.contains("1 person") && table.contains("wants female") && table.contains("k = 1"),
        "{table}"
    );
    let json = out(&report(&["--ledger", store, "--json", "-"]));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["breaks"][0]["people"], "withheld");
    assert!(!report(&["--ledger", store, "--k", "0"]).status.success());
}

#[test]
fn a_time_can_be_a_date_or_a_length_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("ledger.db");
    ledger(&store);
    for (since, shown) in [("2020-01-01", true), ("1h", true), ("7d", true), ("2099-01-01T10:00", false)] {
        let table = out(&report(&["--ledger", store.to_str().unwrap(), "--since", since]));
        assert_eq!(table.contains("125"), shown, "{since}: {table}");
    }
    let output = report(&["--ledger", store.to_str().unwrap(), "--since", "yesterday"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("write 2026-11-23"));
}

#[test]
fn a_ledger_that_is_none_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.db");
    let output = report(&["--ledger", missing.to_str().unwrap()]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("there is no such file"), "{error}");
    assert!(!missing.exists());
    let text = folder.path().join("text.db");
    fs::write(&text, "hello ".repeat(200)).unwrap();
    let output = report(&["--ledger", text.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("move the file away, or name another one"));
    let output = report(&["--ledger", text.to_str().unwrap(), "--html", "/nowhere/r.html"]);
    assert!(!output.status.success());
}
