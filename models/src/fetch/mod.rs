//! Getting packages: out of a folder, out of earlier downloads, or by a client.

mod client;
mod folder;

pub use client::Clients;
use client::Failure;
pub use folder::{Folders, Search};

use crate::{
    Digest, Error, files,
    manifest::{Package, Upstream},
};
use std::path::{Path, PathBuf};

/// Where to get files from.
pub struct Fetcher<'a> {
    /// Keeps what was fetched.
    pub downloads: PathBuf,
    pub folders: Folders,
    pub clients: Clients,
    pub offline: bool,
    /// Whether to ask addresses again that could not be reached before.
    pub retry: bool,
    pub say: &'a mut dyn FnMut(&str),
}

impl Fetcher<'_> {
    /// A file that is here already: in a folder that was given, or downloaded before.
    pub fn at_hand(
        &mut self,
        file: &str,
        size: Option<u64>,
        digest: Digest,
    ) -> Result<Option<PathBuf>, Error> {
        match self.folders.find(file, size, digest) {
            Search::Found(path) => return Ok(Some(path)),
            Search::Other(path, found) => {
                let path = path.display();
                (self.say)(&format!("{path} is passed over: its sha256 is {found}, expected {digest}"));
            }
            Search::Nothing => {}
        }
        let kept = self.downloads.join(file);
        if kept.is_file() {
            if Digest::of_file(&kept)? == digest {
                return Ok(Some(kept));
            }
            (self.say)(&format!("{} is damaged and is fetched again", kept.display()));
            files::remove(&kept)?;
        }
        Ok(None)
    }

    /// A package's archive, with the right digest.
    pub fn package(&mut self, package: &Package) -> Result<PathBuf, Error> {
        if let Some(path) = self.at_hand(&package.file, Some(package.size), package.sha256)? {
            return Ok(path);
        }
        let what = format!("{} {}", package.package, package.version);
        let file = package.file.clone();
        if self.offline {
            return Err(Error::Offline { what, file });
        }
        (self.say)(&format!("fetching {what} ({}) with {}", files::size(package.size), package.client));
        let folder = self.temporary()?;
        match self.clients.package(package, folder.path()) {
            Ok(()) => self.accept(folder.path(), &package.file, package.sha256),
            Err(Failure::NotInstalled) => {
                let remedy = client::remedy(package.client).to_owned();
                Err(Error::NoClient { what, client: package.client.to_string(), remedy, file })
            }
            Err(Failure::Failed(problem)) => Err(Error::Fetch { what, problem, file }),
        }
    }

    /// A file by its address. `Err` within `Ok`: why it cannot be had, which is remembered so that it costs time once.
    pub fn upstream(&mut self, upstream: &Upstream) -> Result<Result<PathBuf, String>, Error> {
        if let Some(path) = self.at_hand(&upstream.file, Some(upstream.size), upstream.sha256)? {
            return Ok(Ok(path));
        }
        if self.offline {
            return Ok(Err("--offline was given".into()));
        }
        let marker = self.downloads.join(format!("{}.unreachable", upstream.file));
        if let (false, Ok(reason)) = (self.retry, std::fs::read_to_string(&marker)) {
            return Ok(Err(format!("{} (not asked again; use --retry)", reason.trim())));
        }
        (self.say)(&format!("fetching {} from {}", upstream.file, upstream.address));
        let reason = match self.address(&upstream.address, &upstream.file, upstream.sha256)? {
            Ok(path) => {
                files::remove(&marker)?;
                return Ok(Ok(path));
            }
            Err(Failure::NotInstalled) => return Ok(Err("curl is not installed (apt install curl)".into())),
            Err(Failure::Failed(reason)) => reason,
        };
        files::write(&marker, reason.as_bytes())?;
        Ok(Err(reason))
    }

    /// A licence's text by its address; `None` where it cannot be had.
    pub fn licence(&mut self, upstream: &Upstream) -> Result<Option<String>, Error> {
        let text = &upstream.licence_text;
        let file = format!("{}.LICENSE", upstream.name);
        let path = match self.at_hand(&file, Some(text.size), text.sha256)? {
            Some(path) => Some(path),
            None if self.offline => None,
            None => self.address(&text.address, &file, text.sha256)?.ok(),
        };
        Ok(path.and_then(|path| std::fs::read_to_string(path).ok()))
    }

    fn address(
        &mut self,
        address: &str,
        file: &str,
        digest: Digest,
    ) -> Result<Result<PathBuf, Failure>, Error> {
        let folder = self.temporary()?;
        if let Err(failure) = self.clients.address(address, file, folder.path()) {
            return Ok(Err(failure));
        }
        match self.accept(folder.path(), file, digest) {
            Err(mismatch @ Error::Mismatch { .. }) => Ok(Err(Failure::Failed(mismatch.to_string()))),
            other => other.map(Ok),
        }
    }

    /// Moves a fetched file to the downloads if it is the right one; otherwise it goes with the temporary folder.
    fn accept(&self, folder: &Path, file: &str, expected: Digest) -> Result<PathBuf, Error> {
        let fetched = folder.join(file);
        let found = Digest::of_file(&fetched)?;
        if found != expected {
            files::remove(&fetched)?;
            return Err(Error::Mismatch { file: file.to_owned(), expected, found });
        }
        let kept = self.downloads.join(file);
        std::fs::rename(&fetched, &kept).map_err(|source| Error::Write { path: kept.clone(), source })?;
        Ok(kept)
    }

    fn temporary(&self) -> Result<tempfile::TempDir, Error> {
        files::create_folder(&self.downloads)?;
        tempfile::tempdir_in(&self.downloads)
            .map_err(|source| Error::Write { path: self.downloads.clone(), source })
    }
}
