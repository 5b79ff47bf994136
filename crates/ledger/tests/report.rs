//! Reports: what they show, what they withhold, and that what comes out of a store stays text.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{WAIT, at, audience, decision, impression};
use facialads_ledger::{
    ConsentChange, ConsentKind, Decision, Event, Filter, Ledger, Records, Skipped,
    report::{Options, People, Report},
};
use jiff::{Timestamp, tz::TimeZone};
use std::{path::PathBuf, time::Duration};

struct Store {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn store(events: impl IntoIterator<Item = Event>) -> Store {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::shared(&path);
    events.into_iter().for_each(|event| assert!(ledger.record(event)));
    assert!(ledger.flush(WAIT));
    Store { _folder: folder, path }
}

impl Store {
    fn report(&self, k: u64) -> Report {
        self.filtered(k, &Filter::default())
    }
    fn filtered(&self, k: u64, filter: &Filter) -> Report {
        let records = Records::read(&self.path, filter).unwrap();
        let options = Options {
            wants: [("spring".to_owned(), "female, age 20–45".to_owned())].into(),
            k,
            screen: filter.screen.clone(),
            since: filter.since,
            now: at(0),
            zone: TimeZone::UTC,
        };
        Report::new(&records, &options)
    }
}

/// A decision for a break and what was shown of it.
fn shown(second: i64, decision: &Decision, frames: u64, complete: bool) -> Event {
    let mut shown =
        impression(&decision.screen, decision.campaign.as_deref().unwrap_or_default(), at(second));
    shown.decision.clone_from(&decision.id);
    (shown.frames, shown.complete) = (frames, complete);
    if !complete {
        (shown.quartile, shown.end_reason) = (50, "break ended early".to_owned());
    }
    Event::Impression(shown)
}

fn decided(second: i64, change: impl FnOnce(&mut Decision)) -> Decision {
    let mut decision = decision("lobby", "spring", Some(1), &[]);
    decision.at = at(second);
    change(&mut decision);
    decision
}

#[test]
fn each_decision_is_a_row_with_what_became_of_it() {
    let complete = decided(-50, |_| {});
    let cut = decided(-40, |d| {
        d.basis = Some("by subject".to_owned());
        d.no_profile = Some("possible minor".to_owned());
        d.why = "by subject: Sports (no profile: possible minor)".to_owned();
    });
    let skipped = decided(-30, |d| d.people = None);
    let replaced = decided(-20, |_| {});
    let nothing = decided(-10, |d| {
        (d.basis, d.campaign, d.creative, d.people) = (None, None, None, Some(0));
        d.no_profile = Some("nobody in view".to_owned());
        d.why = "nothing is eligible: the programme goes on".to_owned();
    });
    let mut second_choice = impression("lobby", "other", at(-18));
    second_choice.decision.clone_from(&replaced.id);
    let store = store([
        shown(-48, &complete, 150, true),
        shown(-38, &cut, 80, false),
        Event::Skipped(Skipped {
            screen: "lobby".to_owned(),
            break_id: "break-1".to_owned(),
            decision: Some(skipped.id.clone()),
            at: at(-28),
            running_time: Duration::from_secs(30),
            campaign: Some("spring".to_owned()),
            creative: Some("a".to_owned()),
            reason: "file not found".to_owned(),
        }),
        Event::Impression(second_choice),
        Event::Decision(complete),
        Event::Decision(cut),
        Event::Decision(skipped),
        Event::Decision(replaced),
        Event::Decision(nothing),
    ]);
    let report = store.report(1);
    let rows: Vec<_> = report
        .breaks
        .iter()
        .map(|row| (row.campaign.as_deref(), row.frames, row.quartile, row.complete, row.ended.as_str()))
        .collect();
    assert_eq!(
        rows,
        [
            (Some("spring"), 150, Some(100), true, "complete"),
            (Some("spring"), 80, Some(50), false, "break ended early"),
            (Some("spring"), 0, None, false, "not shown: file not found"),
            (Some("other"), 150, Some(100), true, "complete"),
            (None, 0, None, false, "nothing eligible: programme"),
        ]
    );
    assert_eq!(report.breaks[3].why, "next in the ranking: spring could not be shown");
    assert_eq!(
        report.summary.by_basis,
        [("by profile", 3), ("by subject", 1), ("nothing eligible", 1)]
            .map(|(k, v)| (k.to_owned(), v))
            .into()
    );
    let spring = report.campaigns.iter().find(|row| row.campaign == "spring").unwrap();
    assert_eq!(
        (spring.impressions, spring.midpoint, spring.third_quartile, spring.complete, spring.skipped),
        (2, 2, 1, 1, 1)
    );

    let table = report.table();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("break") && lines[0].ends_with("frames shown"));
    assert!(
        lines[2].contains("1 person")
            && lines[2].contains("by profile: wants female")
            && lines[2].ends_with("150")
    );
    assert!(lines[3].contains("1 person, possible minor") && lines[3].ends_with("80 (break ended early)"));
    assert!(lines[4].ends_with("not shown: file not found"));
    assert!(lines[6].contains("nobody in view"));
}

#[test]
fn few_people_are_withheld_in_every_form_of_the_report() {
    let mut events = Vec::new();
    // 3 women and 20 men for one creative, 30 of each for the other, in groups that the buckets let through.
    for (creative, gender, years, people) in [
        ("a", "female", 21.0, 3),
        ("a", "male", 40.0, 20),
        ("b", "female", 30.0, 30),
        ("b", "male", 40.0, 31),
    ] {
        let mut counted = audience("lobby", people, gender, years, Timestamp::now());
        counted.creative = Some(creative.to_owned());
        events.push(Event::Audience(counted));
    }
    let few = decided(-20, |d| d.people = Some(7));
    events.push(shown(-19, &few, 150, true));
    events.push(Event::Decision(few));
    let many = decided(-10, |d| d.people = Some(12));
    events.push(shown(-9, &many, 150, true));
    events.push(Event::Decision(many));
    events.push(Event::Consent(ConsentChange {
        screen: "lobby".to_owned(),
        at: at(-60),
        change: ConsentKind::Granted,
        purposes: Vec::new(),
        receipt: None,
    }));
    let store = store(events);

    let report = store.report(10);
    assert_eq!((report.breaks[0].people, report.breaks[1].people), (People::Withheld, People::Count(12)));
    assert_eq!(report.breaks[0].why, "by profile (details withheld: few people)");
    assert_eq!(report.breaks[1].why, "by profile: wants female, age 20–45");
    assert_eq!((report.summary.consents_granted, report.summary.consents_withdrawn), (None, Some(0)));
    let gender = report.audience.iter().find(|table| table.dimension == "gender").unwrap();
    assert_eq!(gender.bands, ["female", "male", "unknown"]);
    let cells: Vec<_> = gender.rows.iter().map(|row| (row.people.clone(), row.total)).collect();
    // The 3 are below 10; the 20 would give them away beside the 23, and 30 and 31 beside the totals 33 and 51.
    assert_eq!(
        cells,
        [
            (vec![None, None, Some(0)], Some(23)),
            (vec![None, None, Some(0)], Some(61)),
            (vec![Some(33), Some(51), Some(0)], Some(84)),
        ]
    );
    let outputs = [report.html(), report.table(), report.json().unwrap()].into_iter();
    for output in outputs.chain(report.csv().map(|(_, csv)| csv)) {
        for cell in ["7 people", ">3<", ">20<", ">30<", ": 3,", ": 20,", ": 30,", ",3,", ",20,", ",30,"] {
            assert!(!output.contains(cell), "{cell} in {output}");
        }
    }
    assert_eq!(report.warning, None);

    let report = store.report(1);
    assert!(report.warning.as_deref().unwrap().contains("k = 1"));
    assert!(
        report.html().contains("below the recommended 10")
            && report.table().contains("below the recommended 10")
    );
    let gender = report.audience.iter().find(|table| table.dimension == "gender").unwrap();
    assert_eq!(gender.rows[0].people, [Some(3), Some(20), Some(0)]);
    assert_eq!(report.breaks[0].people, People::Count(7));
}

#[test]
fn a_creative_that_few_people_saw_is_withheld_in_all_tables() {
    let mut events = Vec::new();
    for (creative, people) in [("a", 4), ("b", 50), ("c", 60)] {
        let mut counted = audience("lobby", people, "female", 30.0, Timestamp::now());
        counted.creative = Some(creative.to_owned());
        events.push(Event::Audience(counted));
    }
    let report = store(events).report(10);
    assert_eq!(report.audience.len(), 3);
    for table in &report.audience {
        let withheld: Vec<bool> = table.rows.iter().map(|row| row.total.is_none()).collect();
        assert_eq!(withheld, [true, true, false, false], "{}", table.dimension);
        assert!(table.rows[0].people.iter().all(Option::is_none));
        assert!(table.rows[1].people.iter().all(Option::is_none));
    }
}

#[test]
fn what_comes_out_of_a_store_stays_text() {
    let evil = "<script>alert('x')</script>\"&\u{1b}[2J";
    let decision = decided(-10, |d| {
        d.screen = evil.to_owned();
        d.basis = Some(evil.to_owned());
        d.why = evil.to_owned();
        d.subject = vec![evil.to_owned()];
        d.campaign = Some(evil.to_owned());
        d.advertiser = Some("=cmd|' /C calc'!A0".to_owned());
        d.creative = Some(evil.to_owned());
        d.no_profile = Some(evil.to_owned());
    });
    let mut counted = audience(evil, 20, "female", 30.0, Timestamp::now());
    (counted.campaign, counted.creative) = (Some(evil.to_owned()), Some(evil.to_owned()));
    let store = store([shown(-9, &decision, 10, true), Event::Decision(decision), Event::Audience(counted)]);
    let report = store.filtered(10, &Filter { screen: Some(evil.to_owned()), since: None });
    assert_eq!(report.breaks.len(), 1);

    let html = report.html();
    assert!(!html.contains("<script") && !html.contains('\u{1b}') && !html.contains("alert('"));
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
    assert!(!html.contains("http://") && !html.contains("https://"), "the page loads nothing");
    assert!(!report.table().contains('\u{1b}'));
    let [(_, breaks), (_, campaigns), _] = report.csv();
    assert!(breaks.contains(",\"<script>alert('x')</script>\"\"&\u{1b}[2J\","));
    assert_eq!(campaigns.lines().nth(1).unwrap().split(',').nth(1), Some("ACME"));
    assert!(serde_json::from_str::<serde_json::Value>(&report.json().unwrap()).is_ok());
}

#[test]
fn a_spreadsheet_runs_nothing() {
    let decision = decided(-10, |d| {
        d.why = "=1+1".to_owned();
        d.basis = Some("by subject".to_owned());
    });
    let [(_, breaks), ..] = store([Event::Decision(decision)]).report(1).csv();
    assert!(breaks.contains(",'=1+1,"), "{breaks}");
}

#[test]
fn screens_and_times_are_filtered() {
    let of = |screen: &str, second: i64| {
        let decision = decided(second, |d| d.screen = screen.to_owned());
        [shown(second, &decision, 150, true), Event::Decision(decision)]
    };
    let store = store([of("lobby", -100), of("lobby", -10), of("door", -10)].into_iter().flatten());
    let count = |screen: Option<&str>, since: Option<i64>| {
        let filter = Filter { screen: screen.map(str::to_owned), since: since.map(at) };
        store.filtered(10, &filter).breaks.len()
    };
    assert_eq!(
        [
            count(None, None),
            count(Some("lobby"), None),
            count(None, Some(-50)),
            count(Some("door"), Some(-5))
        ],
        [3, 2, 2, 0]
    );
}

#[test]
fn a_changed_ledger_is_said_at_the_top() {
    let store = store([Event::Decision(decided(-10, |_| {}))]);
    assert!(store.report(10).summary.chain_whole);
    let change = "UPDATE log SET body = replace(body, 'spring', 'autumn')";
    rusqlite::Connection::open(&store.path).unwrap().execute(change, []).unwrap();
    let report = store.report(10);
    assert!(!report.summary.chain_whole);
    assert!(report.html().contains("The ledger has been changed"));
}

#[test]
fn an_empty_ledger_makes_an_empty_report_and_a_missing_one_an_error() {
    let empty = store([]);
    let report = empty.report(10);
    assert!(report.html().contains("No breaks on record") && report.table().contains("no breaks on record"));
    let missing = empty.path.with_file_name("missing.db");
    assert!(Records::read(&missing, &Filter::default()).is_err());
    assert!(!missing.exists(), "reading makes no file");
    let other = empty.path.with_file_name("text.db");
    std::fs::write(&other, "not a database at all, only text").unwrap();
    assert!(Records::read(&other, &Filter::default()).is_err());
}
