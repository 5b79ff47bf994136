//! `facialads ads check` and `facialads decide`, as they are typed.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::write(folder.file("a.mp4"), "").unwrap();
        fs::write(folder.file("good.toml"), GOOD).unwrap();
        folder
    }
    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

const GOOD: &str = r#"
[[campaign]]
id = "women"
advertiser = "Aurora"
target = { gender = "female", age = "20-45" }
creative = [{ id = "w", path = "a.mp4" }]

[[campaign]]
id = "men"
advertiser = "Northwind"
target = { gender = "male", age = "20-65" }
daypart = { from = "18:00", to = "23:00" }
creative = [{ id = "m", path = "a.mp4", duration = "20s" }]

[[campaign]]
id = "cars"
advertiser = "Volta"
target = { subjects = ["Automotive"] }
creative = [{ id = "c", path = "a.mp4" }]
"#;

fn facialads(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_facialads")).args(arguments).output().unwrap()
}

/// Success, standard output, standard error.
fn text(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn decide(folder: &Folder, arguments: &[&str]) -> (bool, String, String) {
    let campaigns = folder.file("good.toml");
    let all =
        [&["decide", "--campaigns", campaigns.to_str().unwrap(), "--at", "2026-11-23T20:00"], arguments]
            .concat();
    text(&facialads(&all))
}

#[test]
fn good_campaigns_are_listed() {
    let folder = Folder::new();
    let (ok, out, _) = text(&facialads(&["ads", "check", folder.file("good.toml").to_str().unwrap()]));
    assert!(ok);
    assert!(out.contains("women: 1 creative, targets people, weight 1\n"), "{out}");
    assert!(out.ends_with("3 campaigns in 1 file: no errors\n"), "{out}");
}

#[test]
fn every_mistake_is_printed_with_its_place_and_the_line_and_the_exit_status_is_1() {
    let folder = Folder::new();
    let bad = folder.file("bad.toml");
    fs::write(
        &bad,
        GOOD.replace("daypart", "dayprat").replace("20-45", "45-20").replace("a.mp4", "gone.mp4"),
    )
    .unwrap();
    let output = facialads(&["ads", "check", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let (_, out, err) = text(&output);
    let at = |place: &str, message: &str| format!("{}:{place}: error: {message}\n", bad.display());
    assert!(out.contains(&at("5:37", "the age range ends (20) before it starts (45)")), "{out}");
    assert!(out.contains(&at("12:1", "unknown key `dayprat` in [[campaign]]")), "{out}");
    assert!(out.contains("  12 | dayprat = { from"), "{out}");
    assert!(out.contains("\n     | ^^^^^^^\n  hint: did you mean `daypart`?"), "{out}");
    assert_eq!(out.matches("error: creative file not found: ").count(), 3, "{out}");
    assert_eq!(err, "facialads: 5 errors in 1 file\n");
}

#[test]
fn a_missing_file_is_an_error_and_no_crash() {
    let (ok, out, err) = text(&facialads(&["ads", "check", "/nowhere/c.toml"]));
    assert!(!ok && out.contains("/nowhere/c.toml: error: No such file") && err.contains("1 error"));
    let (ok, _, err) = text(&facialads(&["decide", "--campaigns", "/nowhere/c.toml"]));
    assert!(!ok && err.contains("/nowhere/c.toml: error: No such file"), "{err}");
}

#[test]
fn an_audience_decides_and_every_campaign_says_why() {
    let folder = Folder::new();
    let (ok, out, _) =
        decide(&folder, &["--audience", "female:27:happy:9,male:40:-:1", "--adult", "--explain"]);
    assert!(ok);
    assert!(out.starts_with("women / w (Aurora)\n  by profile: wants female, age 20–45\n"), "{out}");
    assert!(out.contains("viewer 1 (90 % of the time): age 1.00, gender 1.00, together 1.00"), "{out}");
    assert!(out.contains("men: refused\n    its wanted audience was not matched\n"), "{out}");
    assert!(
        out.contains("cars: refused\n    wants Automotive, and the programme's subject is not known\n"),
        "{out}"
    );
}

#[test]
fn without_an_audience_or_with_a_possible_minor_the_subject_decides() {
    let folder = Folder::new();
    for (arguments, reason) in [
        (&[][..], "no camera"),
        (&["--no-profile", "no-consent"], "no consent"),
        (&["--audience", "none:possible-minor"], "possible minor"),
        (&["--audience", "none"], "nobody in view"),
        // Nobody below 30 without a declaration, nobody below 21 with one, and nobody whose age is not known.
        (&["--audience", "female:27"], "possible minor"),
        (&["--audience", "male:40,female:20", "--adult"], "possible minor"),
        (&["--audience", "female:-", "--adult"], "possible minor"),
    ] {
        let (ok, out, err) = decide(&folder, &[arguments, &["--subject", "automotive=0.8"]].concat());
        assert!(ok, "{err}");
        assert!(
            out.starts_with(&format!("cars / c (Volta)\n  by subject: automotive (no profile: {reason})\n")),
            "{out}"
        );
        assert!(out.contains(&format!("women: refused: targets people, but no profile: {reason}")), "{out}");
    }
}

#[test]
fn time_and_slot_are_obeyed_and_nothing_eligible_is_an_answer() {
    let folder = Folder::new();
    let campaigns = folder.file("good.toml");
    let at = |time: &str, slot: &str| {
        let arguments = [
            "decide",
            "--campaigns",
            campaigns.to_str().unwrap(),
            "--audience",
            "male:40",
            "--at",
            time,
            "--slot",
            slot,
        ];
        text(&facialads(&arguments))
    };
    let (ok, out, _) = at("2026-11-23T20:00", "30");
    assert!(ok && out.starts_with("men / m (Northwind, 20 s)\n"), "{out}");
    let (ok, out, _) = at("2026-11-23T17:59", "15");
    assert!(ok && out.starts_with("nothing is eligible: the programme goes on\n"), "{out}");
    assert!(
        out.contains("men: refused: outside its daypart; longer than the 15s left of the break"),
        "{out}"
    );
}

#[test]
fn json_carries_the_same() {
    let folder = Folder::new();
    let (ok, out, _) = decide(&folder, &["--audience", "male:40", "--json", "--explain"]);
    assert!(ok);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["choices"][0]["campaign"], "men");
    assert_eq!(json["choices"][0]["uri"], format!("file://{}", folder.file("a.mp4").display()));
    assert_eq!(json["verdicts"].as_array().unwrap().len(), 3);
    assert_eq!(json["verdicts"][0]["verdict"]["reasons"][0]["code"], "subject-unknown");
    assert_eq!(json["explanation"]["campaigns"][1]["outcome"], "chosen");
}

#[test]
fn what_cannot_be_understood_is_said_with_what_can() {
    let folder = Folder::new();
    for (arguments, words) in [
        (["--audience", "purple:30"], "\"purple\" is no gender; known are female, male"),
        (["--audience", "male:x"], "\"x\" is no age; write 27 or 22-32"),
        (["--audience", "male:30:merry"], "\"merry\" is no emotion; known are neutral"),
        (["--audience", "none:because"], "\"because\" is no reason; known are no-camera"),
        (["--subject", "Pets=2"], "\"2\" is no confidence from 0 to 1"),
        (["--slot", "0"], "write a number of seconds above 0"),
    ] {
        let (ok, _, err) = decide(&folder, &arguments);
        assert!(!ok && err.contains(words), "{arguments:?}: {err}");
    }
}

#[test]
fn campaigns_with_errors_decide_nothing() {
    let folder = Folder::new();
    fs::write(folder.file("bad.toml"), "[[campaign]]\nid = 1\n").unwrap();
    let (ok, out, err) = text(&facialads(&["decide", "--campaigns", path(&folder.file("bad.toml"))]));
    assert!(!ok && out.is_empty());
    assert!(err.contains("bad.toml:2:6: error: `id` must be a string in quotes, not a number"), "{err}");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
