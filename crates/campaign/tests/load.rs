//! Campaign files: what is read, and every mistake with its place.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_campaign::{Catalogue, Diagnostic, Loaded, Severity, Taxonomy, WantedGender, Weekday};
use std::{fs, path::Path, time::Duration};

fn inspect(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    fs::write(&file, text).unwrap();
    Catalogue::inspect(&[file])
}

/// Line, column, code.
fn places(loaded: &Loaded) -> Vec<(usize, usize, &str)> {
    loaded.diagnostics.iter().map(|d| (d.line, d.column, d.code)).collect()
}

const WHOLE: &str = r#"
[[campaign]]
id = "spring"
advertiser = "ACME"
name = "Spring sale"
weight = 2
start = 2026-03-01
end = "2026-05-31"
frequency_cap = { plays = 3, per = "1h 30m" }

[[campaign.daypart]]
days = ["mon-wed", "sat"]
from = 18:00:00
to = "01:30"

[[campaign.daypart]]
days = "sun"

[campaign.target]
age = { min = 20, max = 45 }
gender = "female"
emotion = ["happy", "surprised"]
subjects = ["Sports", "483"]
exclude_subjects = "Boxing"
exclude_safety = ["weapons"]

[[campaign.creative]]
id = "a"
path = "spöts/a 1.mp4"
duration = "15s"

[[campaign.creative]]
id = "b"
uri = "https://example.org/b.mp4"

[[campaign]]
id = "slate"
advertiser = "house"
house = true
[[campaign.creative]]
id = "s"
uri = "file:///nowhere/s%20l.mp4"
"#;

#[test]
fn everything_in_the_format_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("spöts")).unwrap();
    fs::write(folder.path().join("spöts/a 1.mp4"), "").unwrap();
    fs::write(folder.path().join("c.toml"), WHOLE).unwrap();
    let loaded = Catalogue::inspect(&[folder.path()]);
    assert_eq!(places(&loaded), [(42, 7, "missing-creative")]);

    // A missing creative keeps nobody else from playing.
    let catalogue = Catalogue::load(&[folder.path()]).unwrap();
    let spring = catalogue.campaign("spring").unwrap();
    assert_eq!((spring.name.as_str(), spring.weight, spring.house), ("Spring sale", 2.0, false));
    assert_eq!(
        (spring.start.unwrap().to_string(), spring.end.unwrap().to_string()),
        ("2026-03-01".into(), "2026-05-31".into())
    );
    let cap = spring.frequency_cap.unwrap();
    assert_eq!((cap.plays, cap.per), (3, Duration::from_secs(5400)));
    assert_eq!(spring.dayparts[0].days, [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Sat]);
    assert_eq!(spring.dayparts[0].to.to_string(), "01:30:00");
    assert_eq!(spring.dayparts[1].days, [Weekday::Sun]);
    let target = &spring.target;
    assert_eq!((target.age.unwrap().min, target.age.unwrap().max), (20, 45));
    assert_eq!(target.gender, Some(WantedGender::Female));
    assert_eq!((target.emotions.len(), target.subjects.len(), target.exclude_subjects.len()), (2, 2, 1));
    assert_eq!(spring.creatives[0].duration, Some(Duration::from_secs(15)));
    assert_eq!(spring.creatives[0].uri, format!("file://{}/sp%C3%B6ts/a%201.mp4", folder.path().display()),);
    assert_eq!(spring.creatives[1].path, None);
    let slate = catalogue.campaign("slate").unwrap();
    assert_eq!((slate.house, slate.name.as_str()), (true, "slate"));
    assert_eq!(slate.creatives[0].path.as_deref(), Some(Path::new("/nowhere/s l.mp4")));
}

#[test]
fn every_mistake_of_a_file_is_reported_with_its_place_and_a_hint() {
    let loaded = inspect(
        "[[campaign]]\nid = \"a\"\nadvertiser = \"A\"\nweigth = 2\nage = \"20-45\"\nhouse = \"yes\"\n\
         [campaign.target]\nage = \"45-20\"\ngender = \"femal\"\n  emotion = [\"happy\", \"sadd\"]\n\
         [[campaign.creative]]\nid = \"é\"\npath = 3\n\
         [[campaign]]\nid = \"a\"\nadvertiser = \"B\"\n",
    );
    assert_eq!(
        places(&loaded),
        [
            (4, 1, "unknown-key"),
            (5, 1, "unknown-key"),
            (6, 9, "wrong-type"),
            (8, 7, "order"),
            (9, 10, "unknown-word"),
            (10, 23, "unknown-word"),
            (12, 6, "bad-id"),
            (13, 8, "wrong-type"),
            (14, 1, "missing-key"),
            (15, 6, "duplicate-id"),
        ]
    );
    let hints: Vec<&str> = loaded.diagnostics.iter().filter_map(|d| d.hint.as_deref()).collect();
    assert_eq!(hints[0], "did you mean `weight`?");
    assert_eq!(hints[1], "`age` belongs in [campaign.target]");
    assert_eq!(hints[2], "write \"20-45\"");
    assert_eq!(hints[3], "did you mean \"female\"?");
    assert_eq!(
        loaded.diagnostics[5].excerpt.as_deref(),
        Some("  10 |   emotion = [\"happy\", \"sadd\"]\n     |                       ^^^^^^")
    );
    assert!(loaded.catalogue.campaigns().is_empty());
}

#[test]
fn mistakes_of_the_syntax_are_all_reported_and_nothing_that_follows_from_them() {
    let loaded =
        inspect("[[campaign]]\nid = \nadvertiser = \"A\nweigth = 1\n[[campaign.creative]\nid = 'x'\n");
    let (syntax, others): (Vec<_>, Vec<_>) =
        places(&loaded).into_iter().partition(|(.., code)| *code == "syntax");
    let mut lines: Vec<usize> = syntax.iter().map(|(line, ..)| *line).collect();
    lines.dedup();
    assert_eq!(lines, [2, 3, 5]);
    assert_eq!(others, [(4, 1, "unknown-key")]);
}

#[test]
fn numbers_and_words_out_of_their_range_are_refused() {
    let in_campaign = |line: &str| {
        format!(
            "[[campaign]]\nid = \"a\"\nadvertiser = \"A\"\n{line}\n[[campaign.creative]]\nid = \"x\"\nuri = \"http://h/x\"\n"
        )
    };
    assert_eq!(places(&inspect(&in_campaign(""))), []);
    for (line, code) in [
        ("weight = 0", "range"),
        ("weight = -1.5", "range"),
        ("weight = nan", "range"),
        ("weight = inf", "range"),
        ("weight = 99999999999999999999", "wrong-type"),
        ("start = 2026-13-01", "syntax"),
        ("start = \"tomorrow\"", "date"),
        ("start = 2026-11-01T10:00:00", "date"),
        ("start = 2026-02-02\nend = 2026-02-01", "order"),
        ("frequency_cap = { plays = 1.5, per = \"1h\" }", "range"),
        ("frequency_cap = { plays = 0, per = \"1h\" }", "range"),
        ("frequency_cap = { plays = 1, per = \"1 year\" }", "duration"),
        ("frequency_cap = { plays = 1, per = \"90 days\" }", "range"),
        ("frequency_cap = { plays = 1, per = \"-1h\" }", "duration"),
        ("frequency_cap = { plays = 1 }", "missing-key"),
        ("frequency_cap = 3", "wrong-type"),
        ("daypart = { days = \"mon-fry\" }", "unknown-word"),
        ("daypart = { days = [] }", "empty"),
        ("daypart = { from = \"8\" }", "time"),
        ("daypart = { from = \"08:00\", to = \"08:00\" }", "order"),
        ("target = { age = \"13-17\" }", "minors"),
        ("target = { age = { max = 17 } }", "order"),
        ("target = { age = \"20-300\" }", "age"),
        ("target = { age = \"old\" }", "age"),
        ("target = { age = 20 }", "wrong-type"),
        ("target = { age = { from = 20 } }", "unknown-key"),
        ("target = { subjects = [] }", "empty"),
        ("target = { subjects = [\" \"] }", "empty"),
        ("target = { subjects = [\"Pets\"], exclude_subjects = [\"pets\"] }", "contradiction"),
        ("house = true\ntarget = { gender = \"male\" }", "house-target"),
        ("target = \"everybody\"", "wrong-type"),
        ("name = 1", "wrong-type"),
    ] {
        let loaded = inspect(&in_campaign(line));
        let codes: Vec<&str> = loaded.diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(codes, [code], "{line}: {:?}", loaded.diagnostics);
        assert_eq!(loaded.diagnostics[0].severity, Severity::Error);
        assert!(loaded.catalogue.campaigns().is_empty(), "{line}");
    }
    for line in [
        "daypart = { from = \"06:00\", to = \"24:00\" }",
        "target = { age = \"50+\" }",
        "daypart = { days = \"sat-mon\" }",
    ] {
        assert_eq!(places(&inspect(&in_campaign(line))), [], "{line}");
    }
}

#[test]
fn creatives_need_a_place_and_an_id_of_their_own() {
    for (creative, code) in [
        ("id = \"x\"", "missing-key"),
        ("id = \"x\"\nuri = \"no-scheme.mp4\"", "uri"),
        ("id = \"x\"\nuri = \"http://h\"\npath = \"p\"", "contradiction"),
        ("id = \"x\"\npath = \"\"", "empty"),
        ("id = \"x\"\nuri = \"http://h\"\nduration = \"soon\"", "duration"),
        (
            "id = \"x\"\nuri = \"http://h\"\n[[campaign.creative]]\nid = \"x\"\nuri = \"http://h\"",
            "duplicate-id",
        ),
        ("uri = \"http://h\"", "missing-key"),
    ] {
        let loaded = inspect(&format!(
            "[[campaign]]\nid = \"a\"\nadvertiser = \"A\"\n[[campaign.creative]]\n{creative}\n"
        ));
        let codes: Vec<&str> = loaded.diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(codes, [code], "{creative}");
    }
    let loaded = inspect("[[campaign]]\nid = \"a\"\nadvertiser = \"A\"\ncreative = []\n");
    assert_eq!(places(&loaded), [(4, 12, "missing-key")]);
}

#[test]
fn an_id_used_in_two_files_says_where_it_was_first() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[campaign]]\nid = \"a\"\nadvertiser = \"A\"\n[[campaign.creative]]\nid = \"x\"\nuri = \"http://h\"\n";
    for name in ["1.toml", "2.toml", "ignored.txt"] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let error = Catalogue::load(&[folder.path()]).unwrap_err();
    assert_eq!(error.diagnostics.len(), 1);
    assert!(
        error.to_string().contains("2.toml:2:6: error: campaign id \"a\" is used twice; first at "),
        "{error}"
    );
    assert!(error.to_string().contains("1.toml:2"), "{error}");

    let file = folder.path().join("1.toml");
    assert!(Catalogue::load(&[&file, &file]).is_ok(), "the same file twice is no duplicate");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: &Path| Catalogue::load(&[path]).unwrap_err().to_string();
    assert!(message(folder.path()).contains("the folder has no *.toml files"));
    assert!(message(&folder.path().join("none.toml")).contains("No such file"));
    let latin = folder.path().join("latin.toml");
    fs::write(&latin, b"[[campaign]]\nid = \"caf\xe9\"\n").unwrap();
    assert!(
        message(&latin).contains("latin.toml:2:10: error: this is not UTF-8 text"),
        "{}",
        message(&latin)
    );
    assert!(message(Path::new("/dev/zero")).contains("not a file"));
    let empty = folder.path().join("empty.toml");
    fs::write(&empty, "# nothing\n").unwrap();
    let loaded = Catalogue::inspect(&[&empty]);
    assert_eq!((loaded.diagnostics[0].severity, loaded.diagnostics[0].code), (Severity::Warning, "empty"));
    assert!(!loaded.diagnostics.iter().any(Diagnostic::is_fatal));
}

#[test]
fn subjects_that_are_not_in_the_taxonomy_are_found_where_one_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("taxonomy.tsv");
    let rows = "Relational ID System\t\t\tx\r\nUnique ID\tParent\tName\tTier 1\r\n1\t\tAutomotive\tAutomotive\r\n\
                v9i3On\t\tSensitive Topics\tSensitive Topics\r\n483\t\tSports\tSports\r\n";
    fs::write(&table, rows).unwrap();
    let file = folder.path().join("c.toml");
    let text = "[[campaign]]\nid = \"a\"\nadvertiser = \"A\"\n[campaign.target]\n\
                subjects = [\"automotive\", \"483\", \"Automotiv\"]\nexclude_subjects = [\"v9i3On\", \"Weather on Mars\"]\n\
                [[campaign.creative]]\nid = \"x\"\nuri = \"http://h\"\n";
    fs::write(&file, text).unwrap();
    assert_eq!(places(&Catalogue::inspect(&[&file])), []);
    let taxonomy = Taxonomy::read(&table).unwrap();
    let loaded = Catalogue::inspect_with(&[&file], &taxonomy);
    assert_eq!(places(&loaded), [(5, 34, "unknown-subject"), (6, 31, "unknown-subject")]);
    let hints: Vec<_> = loaded.diagnostics.iter().map(|d| d.hint.as_deref()).collect();
    assert_eq!(hints, [Some("did you mean \"Automotive\"?"), None]);
    assert!(Taxonomy::read(&file).is_err(), "another file is no taxonomy");
}

#[test]
fn the_published_taxonomy_can_be_read() {
    let Some(table) = facialads_testkit::shared("data/taxonomy/content-taxonomy-3.1.tsv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    let text = "[[campaign]]\nid = \"a\"\nadvertiser = \"A\"\ntarget = { subjects = [\"pets\", \"150\", \"Petz\"] }\n\
                creative = [{ id = \"x\", uri = \"http://h\" }]\n";
    fs::write(&file, text).unwrap();
    let loaded = Catalogue::inspect_with(&[&file], &Taxonomy::read(&table).unwrap());
    assert_eq!(places(&loaded), [(4, 39, "unknown-subject")]);
    assert_eq!(loaded.diagnostics[0].hint.as_deref(), Some("did you mean \"Pets\"?"));
}
