//! Why and why not, in words that say nothing about a person.

use super::eligibility::Candidate;
use crate::{Basis, FrequencyCap, NoProfile};
use jiff::{SignedDuration, civil::Date};
use std::{fmt, time::Duration};

/// Why a campaign was refused. Names what the campaign wants and what the programme is about, never what was seen of
/// a person.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    NotYet {
        start: Date,
    },
    Over {
        end: Date,
    },
    OutsideDaypart,
    CapReached {
        cap: FrequencyCap,
    },
    /// It targets people, and people play no part in this decision.
    NoProfile {
        reason: NoProfile,
    },
    /// It targets people, and too few of those in view are they.
    AudienceNotMatched,
    /// It needs a subject and the programme's is not known.
    SubjectUnknown {
        wanted: Vec<String>,
    },
    SubjectMissing {
        wanted: Vec<String>,
    },
    ExcludedSubject {
        name: String,
    },
    ExcludedSafety {
        flag: String,
    },
    /// Every creative is longer than what is left of the break.
    TooLong {
        remaining: Duration,
    },
    /// Every creative failed before.
    CreativesFailed,
}

impl Reason {
    /// Short word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotYet { .. } => "not-yet",
            Self::Over { .. } => "over",
            Self::OutsideDaypart => "daypart",
            Self::CapReached { .. } => "frequency-cap",
            Self::NoProfile { .. } => "no-profile",
            Self::AudienceNotMatched => "audience",
            Self::SubjectUnknown { .. } => "subject-unknown",
            Self::SubjectMissing { .. } => "subject",
            Self::ExcludedSubject { .. } => "excluded-subject",
            Self::ExcludedSafety { .. } => "brand-safety",
            Self::TooLong { .. } => "too-long",
            Self::CreativesFailed => "creatives-failed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet { start } => write!(f, "starts on {start}"),
            Self::Over { end } => write!(f, "ended on {end}"),
            Self::OutsideDaypart => f.write_str("outside its daypart"),
            Self::CapReached { cap } => {
                write!(f, "frequency cap of {} per {} reached", cap.plays, short(cap.per))
            }
            Self::NoProfile { reason } => write!(f, "targets people, but no profile: {reason}"),
            Self::AudienceNotMatched => f.write_str("its wanted audience was not matched"),
            Self::SubjectUnknown { wanted } => {
                write!(f, "wants {}, and the programme's subject is not known", wanted.join(" or "))
            }
            Self::SubjectMissing { wanted } => {
                write!(f, "wants {}, which the programme is not about", wanted.join(" or "))
            }
            Self::ExcludedSubject { name } => write!(f, "must not stand beside {name}"),
            Self::ExcludedSafety { flag } => write!(f, "brand safety: {flag}"),
            Self::TooLong { remaining } => {
                write!(f, "longer than the {} left of the break", short(*remaining))
            }
            Self::CreativesFailed => f.write_str("every creative failed"),
        }
    }
}

/// "1h", "2m 30s", "1.5s".
pub(super) fn short(duration: Duration) -> String {
    SignedDuration::try_from(duration).map_or_else(|_| format!("{duration:?}"), |d| format!("{d:#}"))
}

/// The reason for a choice: "by profile: wants female, age 20–45", "by subject: Automotive (no profile: possible minor)".
pub(super) fn why(candidate: &Candidate<'_>, no_profile: Option<NoProfile>) -> String {
    let subject = candidate.matched_subject.as_deref();
    let mut why = match candidate.basis {
        Basis::Profile => {
            let wanted = candidate.campaign.target.people_wanted();
            let beside = subject.map(|name| format!("; subject {name}")).unwrap_or_default();
            format!("by profile: wants {wanted}{beside}")
        }
        Basis::Subject => format!("by subject: {}", subject.unwrap_or("any")),
        Basis::Schedule => "run of schedule: asks for nothing".to_owned(),
        Basis::House => "house: nothing else was eligible".to_owned(),
    };
    if let Some(reason) = no_profile {
        why.push_str(&format!(" (no profile: {reason})"));
    }
    why
}
