use crate::{Standing, StoreError};
use std::path::PathBuf;

/// Why a gate is closed, for an operator: what happened and what opens it. Says nothing about a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the consent store has not been read yet")]
    NotReadYet,
    #[error(
        "nobody has given consent on screen \"{screen}\": `facialads consent grant --screen \"{screen}\" \
         --purposes measurement,demographics,personalisation` does"
    )]
    NoGrant { screen: String },
    #[error("consent on screen \"{screen}\" was withdrawn")]
    Withdrawn { screen: String },
    #[error("consent on screen \"{screen}\" has expired")]
    Expired { screen: String },
    #[error("the grants on screen \"{screen}\" share no purpose that is asked for, or not measurement")]
    NothingInCommon { screen: String },
    #[error(
        "the clock was set back, so it is unclear which consent has expired: consent has to be given again"
    )]
    ClockSetBack,
    #[error(
        "there is no consent store at {path}: `facialads consent grant --screen \"{screen}\" --store \"{path}\" \
         --purposes measurement,demographics,personalisation` makes one",
        path = .path.display()
    )]
    NoStore { path: PathBuf, screen: String },
    #[error("the consent store was taken away or replaced while in use")]
    Replaced,
    #[error("{0}")]
    Store(String),
    #[error("the watcher of the consent store has not answered in time")]
    NoHeartbeat,
    #[error("the gate was stopped")]
    Stopped,
}

impl Reason {
    pub(super) fn of_store(error: StoreError, screen: &str) -> Self {
        match error {
            StoreError::Missing(path) => Self::NoStore { path, screen: screen.to_owned() },
            other => Self::Store(other.to_string()),
        }
    }

    /// Why no grant holds, told from the last one given.
    pub(super) fn of_last(standing: Option<Standing>, screen: &str) -> Self {
        let screen = screen.to_owned();
        match standing {
            None => Self::NoGrant { screen },
            Some(Standing::Withdrawn) => Self::Withdrawn { screen },
            Some(Standing::Expired) => Self::Expired { screen },
            // It would hold, or will, by a clock that was set back since it was given.
            Some(Standing::NotYet | Standing::Active) => Self::ClockSetBack,
        }
    }
}
