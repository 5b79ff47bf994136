//! Installing: fetch, check, convert, write.

use crate::{
    Digest, Error, archive,
    fetch::{Clients, Fetcher, Folders},
    files::{self, Stamp},
    manifest::{self, Library, LibraryFile, Manifest, Media, Model, Origin, Package, Upstream},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What to install, where, and out of what.
#[derive(Clone, Debug)]
pub struct InstallOptions {
    /// The models' folder; `../downloads`, `../media` and `../lib` lie beside it.
    pub dir: PathBuf,
    /// Only these models; empty: all but those on request that are not at hand.
    pub models: Vec<String>,
    /// Folders to look into before anything is fetched.
    pub from: Vec<PathBuf>,
    /// Photographs and clips too.
    pub media: bool,
    /// ONNX Runtime and OpenVINO too.
    pub library: bool,
    /// Libraries that are installed by their names only: `nvrtc`, `onnxruntime-gpu`, `cuda`.
    pub with: Vec<String>,
    /// Fetch nothing.
    pub offline: bool,
    /// Ask addresses again that could not be reached.
    pub retry: bool,
    pub clients: Clients,
}

impl InstallOptions {
    /// Every model into a folder, by the ordinary clients.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            models: Vec::new(),
            from: Vec::new(),
            media: false,
            library: false,
            with: Vec::new(),
            offline: false,
            retry: false,
            clients: Clients::default(),
        }
    }
}

/// What an installation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Names of models and files that were written.
    pub written: Vec<String>,
    /// How many were there already.
    pub unchanged: usize,
    /// What could not be had and what is lost by that, a line each. All else works without it.
    pub lost: Vec<String>,
    /// Licences that whoever uses what was installed now should know of, a line each.
    pub licences: Vec<String>,
}

/// Installs what the manifest names. `say` is given a line for each thing done.
///
/// What is there already is left as it is; a second run reads nothing and takes no time.
///
/// # Errors
/// The first thing that could not be fetched, checked, converted or written. What was installed before it stays.
pub fn install(options: &InstallOptions, say: &mut dyn FnMut(&str)) -> Result<Installed, Error> {
    install_from(manifest::manifest()?, options, say)
}

/// As [`install`], with another manifest.
pub fn install_from(
    manifest: &Manifest,
    options: &InstallOptions,
    say: &mut dyn FnMut(&str),
) -> Result<Installed, Error> {
    files::create_folder(&options.dir)?;
    let fetcher = Fetcher {
        downloads: beside(&options.dir, "downloads"),
        folders: Folders::scan(&options.from)?,
        clients: options.clients.clone(),
        offline: options.offline,
        retry: options.retry,
        say,
    };
    let mut installer = Installer { manifest, fetcher, done: Installed::default() };
    installer.libraries(&beside(&options.dir, "lib"), options)?;
    installer.models(&options.dir, &options.models)?;
    if options.media {
        installer.media(&beside(&options.dir, "media"))?;
    }
    Ok(installer.done)
}

/// A folder beside the models' own.
pub fn beside(models: &Path, name: &str) -> PathBuf {
    match models.parent() {
        Some(parent) if models.file_name().is_some() => parent.join(name),
        _ => models.join("..").join(name),
    }
}

/// The models that were asked for, in the manifest's order.
fn chosen<'m>(manifest: &'m Manifest, names: &[String]) -> Result<Vec<&'m Model>, Error> {
    if let Some(unknown) = names.iter().find(|name| manifest.model(name).is_none()) {
        let known: Vec<&str> = manifest.models.iter().map(|model| model.name.as_str()).collect();
        return Err(Error::UnknownModel { name: unknown.clone(), known: known.join(", ") });
    }
    Ok(manifest.models.iter().filter(|model| names.is_empty() || names.contains(&model.name)).collect())
}

struct Installer<'a> {
    manifest: &'a Manifest,
    fetcher: Fetcher<'a>,
    done: Installed,
}

/// A network as it will be written.
struct Made {
    onnx: Vec<u8>,
    licence: String,
}

impl<'a> Installer<'a> {
    fn models(&mut self, dir: &Path, names: &[String]) -> Result<(), Error> {
        let mut stamp = Stamp::read(dir);
        for model in chosen(self.manifest, names)? {
            if names.is_empty() && model.on_request && !self.is_at_hand(model)? {
                continue;
            }
            let result = self.model(model, dir, &mut stamp);
            stamp.save()?;
            result?;
        }
        Ok(())
    }

    /// Whether a model can be had without asking anybody.
    fn is_at_hand(&mut self, model: &Model) -> Result<bool, Error> {
        let (file, size, digest) = match &model.origin {
            Origin::Upstream(name) => match self.manifest.upstream(name) {
                Some(upstream) => (&upstream.file, upstream.size, upstream.sha256),
                None => return Ok(false),
            },
            Origin::Package(name) => {
                let package = self.package(name)?;
                (&package.file, package.size, package.sha256)
            }
        };
        Ok(self.fetcher.at_hand(file, Some(size), digest)?.is_some())
    }

    fn model(&mut self, model: &Model, dir: &Path, stamp: &mut Stamp) -> Result<(), Error> {
        let file = format!("{}.onnx", model.name);
        if stamp.is_current(&file, model.sha256) {
            self.done.unchanged += 1;
            return self.describe(model, dir, stamp);
        }
        let Some(made) = self.make(model)? else { return Ok(()) };
        stamp.write(&format!("{}.LICENSE", model.name), made.licence.as_bytes())?;
        self.describe(model, dir, stamp)?;
        // Last: whoever finds the network finds all that belongs to it.
        stamp.write(&file, &made.onnx)?;
        let (size, source) = (files::size(made.onnx.len() as u64), self.manifest.source(model));
        let licence = self.manifest.licence(model);
        (self.fetcher.say)(&format!("{}: {size}, from {source}, licence {licence}", model.name));
        self.done.written.push(model.name.clone());
        Ok(())
    }

    /// Writes the description, and the labels that it names.
    fn describe(&mut self, model: &Model, dir: &Path, stamp: &mut Stamp) -> Result<(), Error> {
        if let Some(file) = &model.labels_file {
            self.text(stamp, dir, file, manifest::labels(file).unwrap_or_default())?;
        }
        let description = self.manifest.description(model)?;
        self.text(stamp, dir, &format!("{}.toml", model.name), &description)
    }

    fn text(&mut self, stamp: &mut Stamp, dir: &Path, file: &str, text: &str) -> Result<(), Error> {
        if !stamp.write_text(file, text)? {
            let path = dir.join(file);
            (self.fetcher.say)(&format!("{} was changed by hand and is kept", path.display()));
        }
        Ok(())
    }

    /// The network and its licence; `None` where it cannot be had, which is noted.
    fn make(&mut self, model: &Model) -> Result<Option<Made>, Error> {
        match &model.origin {
            Origin::Package(name) => self.convert_package(model, self.package(name)?).map(Some),
            Origin::Upstream(name) => {
                let upstream = self.manifest.upstream(name);
                let upstream = upstream.ok_or_else(|| Error::Manifest(format!("no upstream {name}")))?;
                self.convert_upstream(model, upstream)
            }
        }
    }

    fn package(&self, name: &str) -> Result<&'a Package, Error> {
        self.manifest.package(name).ok_or_else(|| Error::Manifest(format!("no package {name}")))
    }

    fn convert_package(&mut self, model: &Model, package: &Package) -> Result<Made, Error> {
        let wanted: Vec<(&str, Digest)> = model.sources.iter().map(|s| (s.path.as_str(), s.sha256)).collect();
        let mut members = self.unpack(package, &wanted)?;
        let licence = members.remove(&package.licence_file).unwrap_or_default();
        let sources: Vec<Vec<u8>> =
            model.sources.iter().map(|source| members.remove(&source.path).unwrap_or_default()).collect();
        let onnx = convert(model, &sources)?;
        Ok(Made { onnx, licence: String::from_utf8_lossy(&licence).into_owned() })
    }

    fn convert_upstream(&mut self, model: &Model, upstream: &Upstream) -> Result<Option<Made>, Error> {
        let path = match self.fetcher.upstream(upstream)? {
            Ok(path) => path,
            Err(reason) => {
                let (name, lost, file) = (&model.name, upstream.lost.trim(), &upstream.file);
                let way = format!("Put {file} into a folder and run: facialads models install --from FOLDER");
                self.done.lost.push(format!("{name} cannot be had ({reason}). {lost} {way}"));
                return Ok(None);
            }
        };
        let source = std::fs::read(&path).map_err(|source| Error::Read { path, source })?;
        let licence = self
            .fetcher
            .licence(upstream)?
            .unwrap_or_else(|| format!("{}, see {}\n", upstream.licence, upstream.licence_text.address));
        Ok(Some(Made { onnx: convert(model, &[source])?, licence }))
    }

    /// The files of a package, each with the right digest, and its licence text.
    fn unpack(
        &mut self,
        package: &Package,
        wanted: &[(&str, Digest)],
    ) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let path = self.fetcher.package(package)?;
        let names: Vec<&str> =
            wanted.iter().map(|(name, _)| *name).chain([package.licence_file.as_str()]).collect();
        let members = archive::members(&path, &names)?;
        for (name, expected) in wanted {
            let found = Digest::of(members.get(*name).map_or(&[][..], Vec::as_slice));
            if found != *expected {
                let member = (*name).to_owned();
                return Err(Error::Member { archive: path, member, expected: *expected, found });
            }
        }
        Ok(members)
    }

    fn libraries(&mut self, dir: &Path, options: &InstallOptions) -> Result<(), Error> {
        let machine = std::env::consts::ARCH;
        let there: Vec<&Library> = self.manifest.libraries(machine).collect();
        if options.library && there.is_empty() {
            return Err(Error::NoLibrary(machine.to_owned()));
        }
        let named = |library: &Library| library.on_request && library.folder.is_some();
        for name in &options.with {
            if !there.iter().any(|library| named(library) && library.folder.as_ref() == Some(name)) {
                let known: Vec<&str> =
                    there.iter().filter(|l| named(l)).filter_map(|l| l.folder.as_deref()).collect();
                return Err(Error::UnknownLibrary { name: name.clone(), known: known.join(", ") });
            }
        }
        let wanted = |library: &&&Library| match &library.folder {
            Some(folder) if library.on_request => options.with.contains(folder),
            _ => options.library,
        };
        let chosen: Vec<&Library> = there.iter().filter(wanted).copied().collect();
        self.announce(&chosen, dir)?;
        for library in chosen {
            match (self.library(library, dir), &library.lost) {
                (
                    Err(e @ (Error::Offline { .. } | Error::NoClient { .. } | Error::Fetch { .. })),
                    Some(lost),
                ) => {
                    self.done.lost.push(format!("{} cannot be had. {} ({e})", library.package, lost.trim()));
                }
                (result, _) => result?,
            }
        }
        Ok(())
    }

    /// What is to be fetched, and how much that is, before anything of it is.
    fn announce(&mut self, libraries: &[&Library], dir: &Path) -> Result<(), Error> {
        let mut total = 0;
        let mut parts = Vec::new();
        for library in libraries.iter().filter(|library| library.on_request) {
            let package = self.package(&library.package)?;
            let stamp = &mut Stamp::read(&folder_of(library, dir));
            let is_there = library.files.iter().all(|file| stamp.is_current(file.name(), file.sha256));
            let mut at_hand = || self.fetcher.at_hand(&package.file, Some(package.size), package.sha256);
            if !is_there && at_hand()?.is_none() {
                total += package.size;
                let (name, version, size) = (&package.package, &package.version, files::size(package.size));
                parts.push(format!("{name} {version} ({size}, {})", package.licence));
            }
        }
        if parts.len() > 1 {
            (self.fetcher.say)(&format!("fetching {}: {}", files::size(total), parts.join(", ")));
        }
        Ok(())
    }

    fn library(&mut self, library: &Library, dir: &Path) -> Result<(), Error> {
        let folder = folder_of(library, dir);
        let mut stamp = Stamp::read(&folder);
        let missing: Vec<&LibraryFile> =
            library.files.iter().filter(|file| !stamp.is_current(file.name(), file.sha256)).collect();
        self.done.unchanged += library.files.len() - missing.len();
        if missing.is_empty() {
            return stamp.save();
        }
        let package = self.package(&library.package)?;
        let Package { package: wheel, version, licence, licence_file, .. } = package;
        let path = self.fetcher.package(package)?;
        let is_shared = |other: &&Library| other.folder == library.folder && other.machine == library.machine;
        let shared = library.on_request && self.manifest.libraries.iter().filter(is_shared).count() > 1;
        let name = match &library.folder {
            Some(folder) if !shared => folder.clone(),
            Some(_) => wheel.clone(),
            None => library.files.last().map(LibraryFile::name).unwrap_or_default().to_owned(),
        };
        let beside = match library.folder {
            Some(_) if !shared => "LICENSE".to_owned(),
            _ => format!("{name}.LICENSE"),
        };
        let text = archive::members(&path, &[licence_file])?.remove(licence_file).unwrap_or_default();
        stamp.write(&beside, &text)?;
        let mut total = 0;
        // One by one: some have half a gigabyte.
        for file in missing {
            let bytes = archive::members(&path, &[&file.path])?.remove(&file.path).unwrap_or_default();
            let found = Digest::of(&bytes);
            if found != file.sha256 {
                let (member, expected) = (file.path.clone(), file.sha256);
                return Err(Error::Member { archive: path, member, expected, found });
            }
            total += bytes.len() as u64;
            stamp.write(file.name(), &bytes)?;
        }
        stamp.save()?;
        if library.on_request {
            let text = folder.join(&beside);
            self.done.licences.push(format!("{name} is under {licence}: {}", text.display()));
        }
        let size = files::size(total);
        (self.fetcher.say)(&format!("{name}: {size}, from {wheel} {version} (pip), licence {licence}"));
        self.done.written.push(name);
        Ok(())
    }

    fn media(&mut self, dir: &Path) -> Result<(), Error> {
        let mut stamp = Stamp::read(dir);
        let mut missing: BTreeMap<&str, Vec<&Media>> = BTreeMap::new();
        for media in &self.manifest.media {
            if stamp.is_current(&media.name, media.sha256) {
                self.done.unchanged += 1;
            } else {
                missing.entry(&media.package).or_default().push(media);
            }
        }
        for (name, media) in missing {
            let package = self.package(name)?;
            let wanted: Vec<(&str, Digest)> = media.iter().map(|m| (m.path.as_str(), m.sha256)).collect();
            let mut members = self.unpack(package, &wanted)?;
            let licence = members.remove(&package.licence_file).unwrap_or_default();
            stamp.write(&format!("{name}.LICENSE"), &licence)?;
            for media in media {
                let bytes = members.remove(&media.path).unwrap_or_default();
                stamp.write(&media.name, &bytes)?;
                let (size, package) = (files::size(bytes.len() as u64), &package.package);
                (self.fetcher.say)(&format!(
                    "{}: {size}, from {package}, licence {}",
                    media.name, media.licence
                ));
                self.done.written.push(media.name.clone());
            }
        }
        stamp.save()
    }
}

/// Where a library's files go; `dir` is the libraries' folder.
fn folder_of(library: &Library, dir: &Path) -> PathBuf {
    library.folder.as_ref().map_or_else(|| dir.to_owned(), |folder| dir.join(folder))
}

/// Converts and checks that the result is the one that was tested.
fn convert(model: &Model, sources: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let convert = model.converter.convert(sources);
    let onnx = convert.map_err(|source| Error::Convert { name: model.name.clone(), source })?;
    let found = Digest::of(&onnx);
    if found != model.sha256 {
        return Err(Error::Reproduce { name: model.name.clone(), expected: model.sha256, found });
    }
    Ok(onnx)
}
