//! The networks that this software uses: what they are, where they come from, how they become ONNX, and whether the
//! ones installed are those that were measured.
//!
//! ```no_run
//! let dir = facialads_vision::models_dir();
//! let mut options = facialads_models::InstallOptions::new(&dir);
//! options.from.push("/media/usb/models".into());
//! let done = facialads_models::install(&options, &mut |line| eprintln!("{line}"))?;
//! done.lost.iter().for_each(|line| eprintln!("{line}"));
//! for model in facialads_models::status(&dir)? {
//!     println!("{} {}", model.name, model.state);
//! }
//! # Ok::<(), facialads_models::Error>(())
//! ```

mod archive;
mod convert;
mod digest;
mod error;
mod fetch;
mod files;
mod half;
mod install;
mod make_half;
mod manifest;
mod status;
mod verify;

pub use convert::{ConvertError, Converter};
pub use digest::Digest;
pub use error::Error;
pub use fetch::Clients;
pub use files::size;
pub use half::{Input as HalfInput, halve};
pub use install::{InstallOptions, Installed, beside, install, install_from};
pub use make_half::{Halved, make_half};
pub use manifest::{
    Client, Library, LibraryFile, LicenceText, Manifest, Media, Model, Origin, Package, Source, Tags,
    Upstream, manifest,
};
pub use status::{ModelStatus, State, status};
pub use verify::{
    AttributeCheck, DetectionCheck, Face, FileCheck, Pattern, PatternCheck, Photograph, Reference, Tolerance,
    Verification, verify, verify_against,
};
