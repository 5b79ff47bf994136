//! `facialads eval`: what it takes, what it refuses, and real figures where the labelled material is.

#![allow(clippy::unwrap_used)]

use facialads_testkit::{media, model, models_dir, root, shared};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn eval(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facialads"));
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        command.env("ORT_DYLIB_PATH", root().join(".cache/lib/libonnxruntime.so"));
    }
    command.arg("eval").args(arguments).env("FACIALADS_MODELS", models_dir()).output().unwrap()
}

fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn success(output: &Output) -> (String, String) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    (out.into_owned(), err.into_owned())
}

fn networks_installed() -> bool {
    ["yunet", "age-gender", "expression"].iter().all(|name| model(name).is_some())
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

fn grey(file: &Path) {
    image::RgbImage::from_pixel(64, 64, image::Rgb([90, 90, 90])).save(file).unwrap();
}

#[test]
fn labels_that_are_missing_or_name_no_files_are_refused_with_what_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let text = complaint(&eval(&["faces", "/nowhere/labels.csv"]));
    assert!(text.contains("/nowhere/labels.csv"), "{text}");
    let csv = folder.path().join("labels.csv");
    std::fs::write(&csv, "name,years\na.jpg,3\n").unwrap();
    let text = complaint(&eval(&["faces", path(&csv)]));
    assert!(text.contains("name, years") && text.contains("file"), "{text}");
    std::fs::write(&csv, "file,age\na.jpg,ancient\n").unwrap();
    let text = complaint(&eval(&["faces", path(&csv)]));
    assert!(
        text.contains("line 2: \"ancient\" is no age") && text.contains("no labelled pictures"),
        "{text}"
    );
    let text = complaint(&eval(&["faces", path(folder.path())]));
    assert!(text.contains("no labelled pictures"), "{text}");
}

#[test]
fn boxes_and_truths_of_no_known_form_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boxes.txt");
    std::fs::write(&file, "a.jpg\nmany\n").unwrap();
    assert!(complaint(&eval(&["detection", path(&file)])).contains("line 2"));
    std::fs::write(&file, "{\"pictures\": []}").unwrap();
    assert!(complaint(&eval(&["detection", path(&file)])).contains("\"images\""));
    assert!(complaint(&eval(&["video", "/nowhere.mp4", "--truth", path(&file)])).contains("\"people\""));
    assert!(complaint(&eval(&["video", "/nowhere.mp4"])).contains("/nowhere.mp4"));
    assert!(complaint(&eval(&["card", path(&file)])).contains("no result of"));
    std::fs::write(&file, "{\"schema\": 99}").unwrap();
    assert!(complaint(&eval(&["card", path(&file)])).contains("schema 99"));
}

#[test]
fn pictures_without_a_face_and_files_that_are_no_pictures_are_counted_and_named() {
    if !networks_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    grey(&folder.path().join("grey.png"));
    std::fs::write(folder.path().join("broken.jpg"), b"not a picture").unwrap();
    let csv = folder.path().join("labels.csv");
    std::fs::write(
        &csv,
        "file,age,gender\ngrey.png,30,female\nbroken.jpg,31,m\nmissing.jpg,32,f\nx.jpg,?,f\n",
    )
    .unwrap();
    let json = folder.path().join("deep/er/result.json");
    let (out, err) = success(&eval(&["faces", path(&csv), "--json", path(&json)]));
    assert!(
        err.contains("broken.jpg: cannot be decoded") && err.contains("missing.jpg: cannot be read"),
        "{err}"
    );
    assert!(err.contains("line 5: \"?\" is no age"), "{err}");
    assert!(out.contains("1 not found"), "{out}");
    let result: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let counts = &result["report"]["faces"]["counts"];
    assert_eq!(
        (&counts["unreadable"], &counts["bad_rows"], &counts["not_found"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(result["report"]["faces"]["gender"], Value::Null);
}

#[test]
fn a_grey_picture_with_a_labelled_box_is_a_miss() {
    if !networks_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    grey(&folder.path().join("grey.png"));
    let boxes = folder.path().join("boxes.json");
    std::fs::write(&boxes, r#"{"images":[{"file":"grey.png","boxes":[[5,5,40,40],[1,1,0,3]]}]}"#).unwrap();
    let (out, _) = success(&eval(&["detection", path(&boxes), "--json", "-"]));
    let result: Value = serde_json::from_str(&out).unwrap();
    let report = &result["report"]["detection"];
    assert_eq!((&report["faces"], &report["bad_boxes"]), (&json!(1), &json!(1)));
    assert_eq!(report["at_iou"][0]["recall"]["share"], json!(0.0));
}

/// The first forty of the labelled faces: enough to see that figures are figures.
#[test]
fn labelled_faces_give_sane_figures_and_a_card_that_keeps_what_people_wrote() {
    let Some(labels) = shared("data/faces/fairface_labels.csv") else { return };
    if !networks_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<String> =
        std::fs::read_to_string(&labels).unwrap().lines().take(41).map(str::to_owned).collect();
    let csv = folder.path().join("forty.csv");
    std::fs::write(&csv, rows.join("\n")).unwrap();
    let cards = folder.path().join("cards");
    std::fs::create_dir(&cards).unwrap();
    let card = cards.join("age-gender.md");
    std::fs::write(&card, "# age-gender\n\nBy hand.\n\n## Limits\nMany.\n").unwrap();
    let (json, images) = (folder.path().join("r.json"), labels.parent().unwrap().to_owned());
    let arguments =
        ["faces", path(&csv), "--images", path(&images), "--json", path(&json), "--card", path(&cards)];
    let (table, _) = success(&eval(&arguments));
    for heading in ["Gender, adults of 20 and over", "Age", "Minors' rule", "women and men"] {
        assert!(table.contains(heading), "{heading} in\n{table}");
    }

    let result: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let faces = &result["report"]["faces"];
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!(result["schema"], 1);
    assert!(number(&faces["found"]["share"]) > 0.8, "{}", faces["found"]);
    let gender = &faces["gender"]["all"];
    assert!(
        number(&gender["accuracy"]["share"]) > 0.6 && number(&gender["accuracy"]["low"]) < 1.0,
        "{gender}"
    );
    assert!((0.0..=1.0).contains(&number(&gender["calibration"]["ece"])), "{gender}");
    assert!(gender["curve"].as_array().unwrap().len() > 5);
    let age = &faces["age"];
    assert!((0.0..20.0).contains(&number(&age["distance_to_bin"]["mean"])), "{age}");
    assert!((1.0..60.0).contains(&number(&age["interval"]["width"])), "{age}");
    assert!((0.0..=1.0).contains(&number(&age["interval"]["coverage"]["mean"])), "{age}");
    let minors = &faces["minors"];
    assert!(number(&minors["undeclared"]["right"]) <= number(&minors["declared"]["right"]), "{minors}");
    assert!(faces["emotion"].is_null());

    let written = std::fs::read_to_string(&card).unwrap();
    assert!(
        written.starts_with("# age-gender\n\nBy hand.\n") && written.ends_with("## Limits\nMany.\n"),
        "{written}"
    );
    assert!(written.contains("## Evaluation") && written.contains("in a bin under 20"), "{written}");
    let privacy = folder.path().join("privacy.md");
    std::fs::write(&privacy, "# Privacy\n").unwrap();
    success(&eval(&["card", path(&json), "--out", path(&cards), "--privacy", path(&privacy)]));
    assert_eq!(std::fs::read_to_string(&card).unwrap(), written, "the same result, the same card");
    assert!(std::fs::read_to_string(&privacy).unwrap().contains("forty.csv"));
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let Some(labels) = shared("data/faces/fairface_labels.csv") else { return };
    if !networks_installed() {
        return;
    }
    let run = |seed: &str| -> Value {
        let arguments = ["faces", path(&labels), "--limit", "15", "--seed", seed, "--json", "-"];
        let (out, _) = success(&eval(&arguments));
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(run("3")["report"], run("3")["report"]);
}

fn clip() -> Option<PathBuf> {
    media("carphone_pristine.mp4")
}

#[test]
fn a_man_talking_in_a_car_is_one_track() {
    let Some(clip) = clip() else { return };
    if !networks_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.json");
    // Far from anybody: everything that is followed is wrong.
    std::fs::write(&truth, r#"{"fps": 30, "people": [{"id": 1, "boxes": [[0, 0, 0, 4, 4]]}]}"#).unwrap();
    let arguments = ["video", path(&clip), "--limit", "30", "--truth", path(&truth), "--json", "-"];
    let (out, _) = success(&eval(&arguments));
    let result: Value = serde_json::from_str(&out).unwrap();
    let video = &result["report"]["video"];
    assert_eq!((&video["frames"], &video["stability"]["tracks"]), (&json!(30), &json!(1)), "{video}");
    assert_eq!(video["against"]["clear_mot"]["misses"], 1);
    assert!(video["against"]["clear_mot"]["false_positives"].as_u64().unwrap() >= 25, "{video}");
    let (out, _) = success(&eval(&arguments[..4]));
    assert!(out.contains("Tracks") && out.contains("age spread"), "{out}");
}
