//! `facialads consent`: gives, withdraws and lists consent on this machine.

use anyhow::{Context, Result, bail};
use facialads_consent::{
    DEFAULT_MINUTES, Grant, NewGrant, Notice, Purpose, Purposes, ReceiptId, Standing, Store, WallClock,
    default_path, wall_clock,
};
use facialads_ledger::{ConsentChange, ConsentKind, Event, Ledger};
use jiff::{Timestamp, tz::TimeZone};
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long to wait for another program that holds the store.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How long to wait for the ledger to be written.
const LEDGER_WAIT: Duration = Duration::from_secs(5);

/// Give, withdraw and list viewers' consent.
#[derive(clap::Args)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Write down what a viewer has agreed to and print the receipt, once.
    Grant(GrantArgs),
    /// End the consent of a receipt. The answer is the same whether there was such a receipt or not.
    Withdraw(WithdrawArgs),
    /// Show grants, without receipts.
    List(ListArgs),
}

#[derive(clap::Args)]
struct Files {
    /// The consent store; by default consent.db in $FACIALADS_STATE, else in the user's state folder.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

impl Files {
    fn store(&self) -> Result<PathBuf> {
        self.store.clone().map_or_else(|| Ok(default_path()?), Ok)
    }
}

#[derive(clap::Args)]
struct GrantArgs {
    /// Name of the screen that the viewer stands in front of.
    #[arg(long)]
    screen: String,
    /// What the viewer agrees to, joined by commas: measurement, demographics, emotion, personalisation.
    #[arg(long)]
    purposes: Purposes,
    /// The viewer has declared to be an adult. Ask; never assume.
    #[arg(long)]
    adult: bool,
    /// How long consent lasts.
    #[arg(long, default_value_t = DEFAULT_MINUTES)]
    minutes: u64,
    /// Language of the notice that the viewer was shown, as a BCP 47 tag.
    #[arg(long, default_value = "en")]
    language: String,
    /// Version of the notice that the viewer was shown.
    #[arg(long, default_value = "1")]
    notice_version: String,
    /// How consent was given, e.g. operator or qr-code.
    #[arg(long, default_value = "operator")]
    method: String,
    #[command(flatten)]
    files: Files,
    /// Record the change in this ledger.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Print the receipt as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct WithdrawArgs {
    /// The receipt that was printed when consent was given; `-` reads it from standard input.
    receipt: String,
    #[command(flatten)]
    files: Files,
    /// Record the change in this ledger.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

#[derive(clap::Args)]
struct ListArgs {
    /// Only the grants of this screen.
    #[arg(long)]
    screen: Option<String>,
    #[command(flatten)]
    files: Files,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(command: Command) -> Result<()> {
    match command.action {
        Action::Grant(args) => grant(args),
        Action::Withdraw(args) => withdraw(args),
        Action::List(args) => list(&args),
    }
}

fn grant(args: GrantArgs) -> Result<()> {
    if !args.purposes.is_empty() && !args.purposes.contains(Purpose::Measurement) {
        bail!("nothing can be done without detecting faces: add measurement to --purposes, or grant nothing");
    }
    let new = NewGrant {
        screen: args.screen,
        purposes: args.purposes,
        adult: args.adult,
        duration: Duration::from_secs(args.minutes.saturating_mul(60)),
        notice: Notice { version: args.notice_version, language: args.language },
        method: args.method,
    };
    let path = args.files.store()?;
    let store = Store::open(&path).with_context(|| format!("consent store {}", path.display()))?;
    let (receipt, grant) = store.grant(&new, wall_clock())?;
    // The receipt first: whatever fails after this, the viewer must be able to withdraw.
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", receipt_json(&receipt, &grant))?;
    } else {
        writeln!(
            out,
            "Consent on screen \"{}\" for {} until {}.",
            grant.screen,
            grant.purposes,
            clock(grant.expires_at)
        )?;
        writeln!(out, "Receipt: {}", receipt.reveal())?;
        writeln!(
            out,
            "It is shown only now. `facialads consent withdraw RECEIPT` ends this consent at once."
        )?;
    }
    out.flush()?;
    record(args.ledger.as_deref(), &grant, ConsentKind::Granted);
    Ok(())
}

fn withdraw(args: WithdrawArgs) -> Result<()> {
    let mut receipt = args.receipt;
    if receipt == "-" {
        receipt.clear();
        // Longer than any receipt, however it is spaced out.
        std::io::stdin().lock().take(1024).read_to_string(&mut receipt).context("standard input")?;
    }
    let path = args.files.store()?;
    let store = Store::open_existing(&path, LOCK_WAIT)?;
    if let Some(grant) = store.withdraw(&receipt, wall_clock())? {
        record(args.ledger.as_deref(), &grant, ConsentKind::Withdrawn);
    }
    println!("If there was consent under this receipt, it has ended.");
    Ok(())
}

fn list(args: &ListArgs) -> Result<()> {
    let store = Store::open_existing(&args.files.store()?, LOCK_WAIT)?;
    let grants = store.list(args.screen.as_deref())?;
    let now = wall_clock();
    if args.json {
        let grants: Vec<_> = grants.iter().map(|grant| listed_json(grant, now)).collect();
        println!("{:#}", serde_json::Value::Array(grants));
        return Ok(());
    }
    if grants.is_empty() {
        println!("No grants.");
        return Ok(());
    }
    let width =
        grants.iter().map(|grant| grant.screen.chars().count()).max().unwrap_or(0).max("SCREEN".len());
    println!(
        "{:<8}  {:<width$}  {:<9}  {:<5}  {:<24}  PURPOSES",
        "GRANT", "SCREEN", "STANDING", "ADULT", "UNTIL"
    );
    for grant in &grants {
        println!(
            "{:<8}  {:<width$}  {:<9}  {:<5}  {:<24}  {}",
            short(grant),
            grant.screen,
            grant.standing(now).name(),
            if grant.adult { "yes" } else { "no" },
            clock(grant.expires_at),
            grant.purposes,
        );
    }
    Ok(())
}

/// Enough of the digest to tell grants apart; it opens nothing.
fn short(grant: &Grant) -> &str {
    grant.digest.get(..8).unwrap_or_default()
}

/// Writes the change into the ledger. What was done stands, recorded or not, so a failure is a warning.
fn record(ledger: Option<&Path>, grant: &Grant, change: ConsentKind) {
    let Some(path) = ledger else { return };
    let ledger = Ledger::shared(path);
    ledger.record(Event::Consent(ConsentChange {
        screen: grant.screen.clone(),
        at: Timestamp::now(),
        change,
        purposes: grant.purposes.iter().map(|purpose| purpose.name().to_owned()).collect(),
        receipt: Some(grant.digest.clone()),
    }));
    if !ledger.flush(LEDGER_WAIT) {
        let why = ledger.stats().error.unwrap_or_else(|| "it did not answer in time".into());
        eprintln!(
            "facialads: the change holds, but the ledger {} has not recorded it: {why}",
            path.display()
        );
    }
}

fn timestamp(time: WallClock) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(time)).ok()
}

fn clock(time: WallClock) -> String {
    timestamp(time).map_or_else(
        || "?".into(),
        |t| t.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
    )
}

fn rfc3339(time: WallClock) -> Option<String> {
    let seconds = timestamp(time)?.as_second();
    Timestamp::from_second(seconds).ok().map(|t| t.to_string())
}

/// What the viewer takes away.
fn receipt_json(receipt: &ReceiptId, grant: &Grant) -> serde_json::Value {
    serde_json::json!({
        "receipt": receipt.reveal(),
        "screen": grant.screen,
        "purposes": grant.purposes.iter().map(Purpose::name).collect::<Vec<_>>(),
        "adult": grant.adult,
        "granted_at": rfc3339(grant.granted_at),
        "expires_at": rfc3339(grant.expires_at),
        "notice": { "version": grant.notice.version, "language": grant.notice.language },
        "method": grant.method,
    })
}

fn listed_json(grant: &Grant, now: WallClock) -> serde_json::Value {
    serde_json::json!({
        "grant": short(grant),
        "screen": grant.screen,
        "standing": Standing::name(grant.standing(now)),
        "purposes": grant.purposes.iter().map(Purpose::name).collect::<Vec<_>>(),
        "adult": grant.adult,
        "granted_at": rfc3339(grant.granted_at),
        "expires_at": rfc3339(grant.expires_at),
        "withdrawn_at": grant.withdrawn_at.and_then(rfc3339),
        "notice": { "version": grant.notice.version, "language": grant.notice.language },
        "method": grant.method,
    })
}
