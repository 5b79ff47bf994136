//! `facialads decide`: what would be chosen, and why.

mod input;
mod output;

use crate::report::print;
use anyhow::{Context, Result};
use facialads_campaign::{
    Catalogue, ConsentedAudience, NoHistory, NoProfile, Situation, Slot, SubjectClass, SubjectView, Viewer,
    decide,
};
use facialads_consent::{Basis, Permit, Personalisation, Policy, Purposes, Site, Stamp, Zone, permit};
use jiff::{Zoned, civil, tz::TimeZone};
use std::{path::PathBuf, time::Duration};

/// Which advertisement would run for an audience and a subject, and why.
#[derive(clap::Args)]
pub struct Command {
    /// Campaign files, or folders of them.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    campaigns: Vec<PathBuf>,
    /// People as gender:age[:emotion[:seconds]], joined by commas, a part that is not known as "-"; ages as 27 or 22-32.
    /// Example: "female:27:happy,male:40". "none:REASON" is the same as --no-profile REASON.
    #[arg(long, value_name = "PEOPLE", value_parser = input::audience)]
    audience: Option<input::Audience>,
    /// The people have declared that they are adults: targeted from an estimate of 21 years on, without it from 30.
    #[arg(long)]
    adult: bool,
    /// Why people play no part: no-camera, no-consent, expired, not-permitted, nobody, undecided, possible-minor.
    #[arg(long, value_name = "REASON", conflicts_with = "audience")]
    no_profile: Option<NoProfile>,
    /// A class of the programme's subject as name=confidence (or id=confidence, for campaigns that name ids); may be given more than once.
    #[arg(long, value_name = "SUBJECT", value_parser = input::subject)]
    subject: Vec<SubjectClass>,
    /// A brand-safety flag of the programme; may be given more than once.
    #[arg(long, value_name = "FLAG")]
    safety: Vec<String>,
    /// Local time of the break, e.g. 2026-11-23T20:00; now if not given.
    #[arg(long, value_name = "TIME")]
    at: Option<civil::DateTime>,
    /// Seconds left in the break; as long as the creative if not given.
    #[arg(long, value_name = "SECONDS", value_parser = input::seconds)]
    slot: Option<Duration>,
    /// Say for every campaign, viewer by viewer, how it fits.
    #[arg(long)]
    explain: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(command: Command) -> Result<()> {
    let catalogue = Catalogue::load(&command.campaigns)
        .map_err(|error| anyhow::anyhow!("the campaigns have errors:\n{error}"))?;
    let now = match command.at {
        Some(at) => at.to_zoned(TimeZone::system()).context("there is no such local time")?,
        None => Zoned::now(),
    };
    let audience = audience(&command)?;
    let subject = (!command.subject.is_empty() || !command.safety.is_empty())
        .then(|| SubjectView { classes: command.subject.clone(), safety: command.safety.clone() });
    let slot = Slot { duration: command.slot, remaining: command.slot, ..Slot::default() };
    let situation = Situation {
        audience: audience.as_ref().map_err(|reason| *reason),
        subject: subject.as_ref(),
        slot: &slot,
        now: &now,
        history: &NoHistory,
        excluded: &[],
        planned: &[],
    };
    let decision = decide(&catalogue, &situation);
    let explanation = command.explain.then(|| facialads_campaign::explain(&catalogue, &situation));
    let text = if command.json {
        output::json(&decision, explanation.as_ref())?
    } else {
        output::text(&decision, explanation.as_ref())
    };
    print(&text)
}

/// The people that were typed in, or why they play no part.
fn audience(command: &Command) -> Result<Result<ConsentedAudience, NoProfile>> {
    if let Some(reason) = command.no_profile {
        return Ok(Err(reason));
    }
    let viewers = match &command.audience {
        None => return Ok(Err(NoProfile::NoCamera)),
        Some(input::Audience::None(reason)) => return Ok(Err(*reason)),
        Some(input::Audience::People(viewers)) => viewers.clone(),
    };
    if viewers.is_empty() {
        return Ok(Err(NoProfile::Nobody));
    }
    if viewers.iter().any(|viewer| may_be_minor(viewer, command.adult)) {
        return Ok(Err(NoProfile::PossibleMinor));
    }
    let permit = simulated_permit(viewers.len())?;
    Ok(Ok(ConsentedAudience::new(&permit, viewers)))
}

/// The rule of PRIVACY.md, row 6, on the age that was typed in: 30 at least, or 21 where an adult is declared.
fn may_be_minor(viewer: &Viewer, adult: bool) -> bool {
    let least = if adult { 21.0 } else { 30.0 };
    viewer.age.is_none_or(|age| age.years < least)
}

/// People who were typed in have nobody's consent to give; the permit is asked for as if each of them had agreed to
/// everything, so that it is the same code that decides.
fn simulated_permit(people: usize) -> Result<Permit<Personalisation>> {
    let stamp = Stamp {
        purposes: Purposes::all(),
        epoch: 0,
        max_faces: u32::try_from(people).context("too many people")?,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "simulated".to_owned(),
        expires: u64::MAX,
        receipts: Vec::new(),
    };
    Ok(permit(Some(&stamp), people, 0)?)
}
