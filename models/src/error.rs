use crate::{Digest, convert::ConvertError};
use std::{io, path::PathBuf};

/// Why models could not be installed, listed or verified. Every message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the manifest of models is wrong: {0}")]
    Manifest(String),
    #[error("there is no model \"{name}\"; known are {known}")]
    UnknownModel { name: String, known: String },
    #[error(
        "there is no library \"{name}\" to install by its name on this kind of machine; known are: {known}"
    )]
    UnknownLibrary { name: String, known: String },
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{file} is not what the manifest says: expected sha256 {expected}, found {found}. It was deleted. Run the command \
         again; if it happens again, something on the way changes the file: fetch it elsewhere and use --from DIR"
    )]
    Mismatch { file: String, expected: Digest, found: Digest },
    #[error(
        "{} is damaged: \"{member}\" in it has sha256 {found}, expected {expected}. Delete the archive and run the command \
         again",
        archive.display()
    )]
    Member { archive: PathBuf, member: String, expected: Digest, found: Digest },
    #[error("{} cannot be unpacked: {problem}. Delete it and run the command again", archive.display())]
    Archive { archive: PathBuf, problem: String },
    #[error(
        "{name} cannot be converted: {source}. The source is damaged or of another version: install again"
    )]
    Convert { name: String, source: ConvertError },
    #[error(
        "conversion of {name} gave sha256 {found}, expected {expected}: this program and its manifest do not fit together; \
             please report it"
    )]
    Reproduce { name: String, expected: Digest, found: Digest },
    #[error(
        "{what} is needed and {client} is not installed. Run: {remedy}. Or take {file} to this machine and use --from DIR"
    )]
    NoClient { what: String, client: String, remedy: String, file: String },
    #[error(
        "{what} could not be fetched: {problem}. Check the network, or take {file} to this machine and use --from DIR"
    )]
    Fetch { what: String, problem: String, file: String },
    #[error("{what} is needed and --offline was given. Take {file} to this machine and use --from DIR")]
    Offline { what: String, file: String },
    #[error("{} is not a folder: give --from the folder with the packages", path.display())]
    NoFolder { path: PathBuf },
    #[error(
        "no ONNX Runtime is known for a {0} machine: install it and set ORT_DYLIB_PATH to libonnxruntime.so"
    )]
    NoLibrary(String),
    #[error("the photographs are not in {}: run `facialads models install --media`", path.display())]
    NoMedia { path: PathBuf },
    #[error("{} is no photograph that can be read: {problem}; run `facialads models install --media`", path.display())]
    Photograph { path: PathBuf, problem: String },
    #[error("the recorded results are wrong: {0}")]
    Reference(String),
    #[error("the sample photographs may not be looked at: {0}")]
    Refused(facialads_consent::Refusal),
    #[error(transparent)]
    Vision(#[from] facialads_vision::Error),
    #[error("model \"{name}\" cannot be made 16 bits: {problem}; with device=cuda its 32 bits are used")]
    Half { name: String, problem: String },
}
