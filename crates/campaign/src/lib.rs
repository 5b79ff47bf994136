//! Campaigns, creatives, targeting: a pure decision from audience, subject, break and clock.
//!
//! - [`Catalogue::load`]: campaigns out of TOML, strictly: every mistake with file, line, column and a hint.
//! - [`ConsentedAudience`]: the only way to let people into a decision; it takes a consent permit.
//! - [`decide`]: ranks the campaigns for a break and says for every one of them why or why not. No clock, no store, no
//!   randomness of its own: the same input gives the same decision.
//! - [`explain`]: the same reasons with the audience that was typed in, for `facialads decide --explain` only.

mod audience;
mod catalogue;
mod decide;
mod load;

pub use audience::{
    AgeEstimate, ConsentedAudience, Emotion, Gender, NoProfile, ParsePersonError, UnknownNoProfile, Viewer,
};
pub use catalogue::{
    AgeRange, Campaign, Catalogue, Creative, Daypart, FrequencyCap, Subject, Target, WantedGender, Weekday,
};
pub use decide::{
    Basis, CampaignExplanation, Choice, CreativeRef, Decision, Explanation, History, NoHistory, Outcome,
    Reason, Score, Situation, Slot, SubjectClass, SubjectView, Verdict, ViewerExplanation, decide, explain,
};
pub use load::{Diagnostic, LoadError, Loaded, Severity, Taxonomy};
