//! Installing, with programs in place of npm, pip and curl: what is asked of them, and what becomes of what they bring.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails should say where")]

use facialads_models::{Clients, Digest, Error, InstallOptions, Installed, Manifest, install_from};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// A list and numbers of no network, an ONNX file of an upstream, and a manifest that names them all.
struct World {
    root: tempfile::TempDir,
    manifest: Manifest,
}

const UPSTREAM: &[u8] = b"an ONNX file as it was published";
const LICENCE: &[u8] = b"do as you like";
const PHOTO: &[u8] = b"a photograph";

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let photo = zipped(&[("dist/LICENSE", LICENCE), ("data/photo.jpg", PHOTO)]);
        let model = zipped(&[("dist/LICENSE", LICENCE), ("data/net.onnx", UPSTREAM)]);
        fs::create_dir(root.path().join("server")).unwrap();
        fs::write(root.path().join("server/photos.whl"), &photo).unwrap();
        fs::write(root.path().join("server/net.whl"), &model).unwrap();
        fs::write(root.path().join("server/net_upstream.onnx"), UPSTREAM).unwrap();
        let package = |name: &str, bytes: &[u8]| {
            let (sha256, size) = (Digest::of(bytes), bytes.len());
            format!(
                "[[package]]\nname = \"{name}\"\nclient = \"pip\"\npackage = \"{name}-package\"\nversion = \"1.0\"\n\
                 file = \"{name}.whl\"\nsha256 = \"{sha256}\"\nsize = {size}\nlicence = \"MIT\"\n\
                 licence-file = \"dist/LICENSE\"\n"
            )
        };
        let spec = |name: &str| {
            format!(
                "[model.spec]\nname = \"{name}\"\nrole = \"face-detector\"\ndecoder = \"yunet\"\n[model.spec.input]\n\
                 width = 64\nheight = 64\nfit = \"pad-right-bottom\"\n"
            )
        };
        let onnx = Digest::of(UPSTREAM);
        let (licence, photo_digest) = (Digest::of(LICENCE), Digest::of(PHOTO));
        let text = format!(
            "schema = 1\n{}{}\
             [[library]]\nmachine = \"{}\"\npackage = \"net\"\nfolder = \"compiler\"\non-request = true\n\
             lost = \"Nothing is compiled.\"\nfiles = [{{ path = \"data/net.onnx\", sha256 = \"{onnx}\" }}]\n\
             [[upstream]]\nname = \"up\"\nfile = \"net_upstream.onnx\"\naddress = \"https://upstream.invalid/net.onnx\"\n\
             sha256 = \"{onnx}\"\nsize = {}\nlicence = \"Apache-2.0\"\nlost = \"Half of the faces are lost.\"\n\
             licence-text = {{ address = \"https://upstream.invalid/LICENSE\", sha256 = \"{licence}\", size = 14 }}\n\
             [[model]]\nname = \"better\"\nsummary = \"s\"\norigin = {{ upstream = \"up\" }}\nconverter = \"copy\"\n\
             sha256 = \"{onnx}\"\ncard = \"c\"\n{}\
             [[model]]\nname = \"plain\"\nsummary = \"s\"\norigin = {{ package = \"net\" }}\nconverter = \"copy\"\n\
             sources = [{{ path = \"data/net.onnx\", sha256 = \"{onnx}\" }}]\nsha256 = \"{onnx}\"\ncard = \"c\"\n{}\
             [[media]]\nname = \"photo.jpg\"\npackage = \"photos\"\npath = \"data/photo.jpg\"\nsha256 = \"{photo_digest}\"\n\
             licence = \"MIT\"\n",
            package("photos", &photo),
            package("net", &model),
            std::env::consts::ARCH,
            UPSTREAM.len(),
            spec("better"),
            spec("plain"),
        );
        let manifest = Manifest::parse(&text).unwrap();
        let world = Self { root, manifest };
        // pip: `-m pip download … NAME-package==1.0` leaves NAME.whl in the folder it runs in.
        world.program(
            "python",
            "for last; do :; done; name=${last%%-package*}; cp \"$root/server/$name.whl\" .",
        );
        world.program("npm", "exit 9");
        world.program("curl", "echo 'curl: (7) Could not connect' >&2; exit 7");
        world
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A client that notes what it was asked for, then does as `script` says.
    fn program(&self, name: &str, script: &str) {
        let root = self.root.path().display();
        let text = format!("#!/bin/sh\nroot='{root}'\necho \"{name} $*\" >>\"$root/asked\"\n{script}\n");
        // Written elsewhere and renamed: another test's child may hold the file open for writing at this moment.
        let part = self.path(&format!("{name}.part"));
        fs::write(&part, text).unwrap();
        fs::set_permissions(&part, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&part, self.path(name)).unwrap();
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.path("asked")).unwrap_or_default()
    }

    fn options(&self) -> InstallOptions {
        let clients = Clients { npm: self.path("npm"), python: self.path("python"), curl: self.path("curl") };
        InstallOptions { clients, media: true, ..InstallOptions::new(self.path("models")) }
    }

    fn install(&self, options: &InstallOptions) -> (Result<Installed, Error>, String) {
        let mut said = String::new();
        let result = install_from(&self.manifest, options, &mut |line| {
            said.push_str(line);
            said.push('\n');
        });
        (result, said)
    }
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[test]
fn packages_come_by_their_client_and_a_second_run_asks_for_nothing() {
    let world = World::new();
    let (done, said) = world.install(&world.options());
    let done = done.unwrap();
    assert_eq!(done.written, ["plain", "photo.jpg"]);
    assert!(said.contains("fetching net-package 1.0") && said.contains("licence MIT"), "{said}");
    assert_eq!(read(world.path("models/plain.onnx")), UPSTREAM);
    assert_eq!(read(world.path("models/plain.LICENSE")), LICENCE);
    assert_eq!(read(world.path("media/photo.jpg")), PHOTO);
    let spec = facialads_vision::ModelSpec::beside(&world.path("models/plain.onnx")).unwrap();
    assert_eq!(spec.sha256, Some(Digest::of(UPSTREAM).to_string()));
    assert_eq!(spec.source.as_deref(), Some("net-package 1.0 (pip)"));
    let asked = world.asked();
    assert!(asked.contains("python -m pip download --no-deps --only-binary=:all:"), "{asked}");
    assert!(asked.contains("net-package==1.0"), "{asked}");

    let (again, said) = world.install(&world.options());
    let again = again.unwrap();
    assert_eq!((again.written.len(), again.unchanged), (0, 2));
    assert_eq!(said, "");
    assert_eq!(world.asked(), asked, "no client was started");
}

#[test]
fn an_unreachable_address_costs_time_once_and_a_line_says_what_is_lost() {
    let world = World::new();
    let curls = |world: &World| world.asked().lines().filter(|line| line.starts_with("curl")).count();
    let (done, _) = world.install(&world.options());
    let lost = done.unwrap().lost;
    assert_eq!(lost.len(), 1);
    assert!(lost[0].starts_with("better cannot be had (curl: (7)"), "{lost:?}");
    assert!(lost[0].contains("Half of the faces are lost."), "{lost:?}");
    assert!(lost[0].contains("Could not connect") && lost[0].contains("--from"), "{lost:?}");
    assert_eq!(curls(&world), 1);
    let asked = world.asked();
    assert!(asked.contains("--connect-timeout 4"), "{asked}");

    let (again, _) = world.install(&world.options());
    assert!(again.unwrap().lost[0].contains("--retry"));
    assert_eq!(curls(&world), 1, "the address is not asked again");

    world.program("curl", "while [ \"$1\" != --output ]; do shift; done; case \"$3\" in *net.onnx) cp \"$root/server/net_upstream.onnx\" \"$2\";; *) exit 22;; esac");
    let (retried, _) = world.install(&InstallOptions { retry: true, ..world.options() });
    let retried = retried.unwrap();
    assert_eq!((retried.written, retried.lost), (vec!["better".to_owned()], vec![]));
    assert_eq!(read(world.path("models/better.onnx")), UPSTREAM);
    let licence = String::from_utf8(read(world.path("models/better.LICENSE"))).unwrap();
    assert!(
        licence.contains("Apache-2.0") && licence.contains("https://upstream.invalid/LICENSE"),
        "{licence}"
    );
}

#[test]
fn a_package_with_another_digest_is_deleted_and_both_digests_are_named() {
    let world = World::new();
    world.program("python", "echo something else >net.whl");
    let (done, _) = world.install(&world.options());
    let error = done.unwrap_err();
    let (expected, found) =
        (Digest::of(&read(world.path("server/net.whl"))), Digest::of(b"something else\n"));
    let text = error.to_string();
    assert!(matches!(error, Error::Mismatch { .. }), "{text}");
    assert!(text.contains(&expected.to_string()) && text.contains(&found.to_string()), "{text}");
    assert!(text.contains("deleted") && text.contains("--from"), "{text}");
    let left: Vec<_> =
        fs::read_dir(world.path("downloads")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["net_upstream.onnx.unreachable"]);
    assert!(!world.path("models/plain.onnx").exists());
}

#[test]
fn an_upstream_file_with_another_digest_is_as_good_as_none() {
    let world = World::new();
    world.program(
        "curl",
        "while [ \"$1\" != --output ]; do shift; done; echo '<html>log in first</html>' >\"$2\"",
    );
    let (done, _) = world.install(&world.options());
    let done = done.unwrap();
    assert_eq!(done.written, ["plain", "photo.jpg"], "all else is installed");
    assert!(
        done.lost[0].contains(&Digest::of(b"<html>log in first</html>\n").to_string()),
        "{:?}",
        done.lost
    );
    assert!(!world.path("models/better.onnx").exists());
}

#[test]
fn folders_serve_without_any_client() {
    let world = World::new();
    fs::create_dir_all(world.path("stick/deep")).unwrap();
    fs::rename(world.path("server/net.whl"), world.path("stick/deep/under-another-name")).unwrap();
    fs::rename(world.path("server/photos.whl"), world.path("stick/photos.whl")).unwrap();
    fs::create_dir(world.path("other")).unwrap();
    fs::rename(world.path("server/net_upstream.onnx"), world.path("other/net_upstream.onnx")).unwrap();
    fs::write(world.path("other/COPYING"), LICENCE).unwrap();
    let from = vec![world.path("stick"), world.path("other")];
    let (done, _) = world.install(&InstallOptions { from, offline: true, ..world.options() });
    let done = done.unwrap();
    assert_eq!((done.written.len(), done.lost.len()), (3, 0));
    assert_eq!(read(world.path("models/better.LICENSE")), LICENCE);
    assert_eq!(world.asked(), "", "no client was started");
}

#[test]
fn what_is_on_request_is_installed_by_its_name_or_where_it_lies_at_hand() {
    let mut world = World::new();
    world.manifest.models[0].on_request = true;
    let curls = |world: &World| world.asked().lines().filter(|line| line.starts_with("curl")).count();
    let done = world.install(&world.options()).0.unwrap();
    assert_eq!((done.written.len(), done.lost.len(), curls(&world)), (2, 0, 0), "nobody is asked for it");
    let named = InstallOptions { models: vec!["better".into()], ..world.options() };
    assert_eq!((world.install(&named).0.unwrap().lost.len(), curls(&world)), (1, 1));
    fs::create_dir(world.path("stick")).unwrap();
    fs::rename(world.path("server/net_upstream.onnx"), world.path("stick/renamed.onnx")).unwrap();
    let options = InstallOptions { from: vec![world.path("stick")], offline: true, ..world.options() };
    assert_eq!(world.install(&options).0.unwrap().written, ["better"]);
}

#[test]
fn a_library_on_request_is_installed_by_its_name_only_and_its_licence_is_named() {
    let world = World::new();
    let compiler = world.path("lib/compiler");
    let all = InstallOptions { library: true, ..world.options() };
    assert!(world.install(&all).0.unwrap().licences.is_empty() && !compiler.exists(), "nobody asked for it");
    let named = InstallOptions { with: vec!["compiler".into()], ..world.options() };
    let done = world.install(&named).0.unwrap();
    assert_eq!(done.written, ["compiler"]);
    let text = compiler.join("LICENSE");
    assert_eq!(done.licences, [format!("compiler is under MIT: {}", text.display())]);
    assert_eq!((read(compiler.join("net.onnx")), read(text)), (UPSTREAM.to_vec(), LICENCE.to_vec()));
    let again = world.install(&named).0.unwrap();
    assert!(again.written.is_empty() && again.licences.is_empty(), "{again:?}");
    let unknown = InstallOptions { with: vec!["plane".into()], ..world.options() };
    let message = world.install(&unknown).0.unwrap_err().to_string();
    assert!(message.contains("\"plane\"") && message.contains("compiler"), "{message}");
}

#[test]
fn a_library_on_request_that_cannot_be_had_costs_only_itself() {
    let world = World::new();
    world.install(&world.options()).0.unwrap();
    fs::remove_dir_all(world.path("downloads")).unwrap();
    let options = InstallOptions { with: vec!["compiler".into()], offline: true, ..world.options() };
    let done = world.install(&options).0.unwrap();
    assert!(done.lost[0].contains("Nothing is compiled."), "{:?}", done.lost);
}

#[test]
fn a_file_with_the_right_name_and_the_wrong_content_is_passed_over_and_left_alone() {
    let world = World::new();
    fs::create_dir(world.path("stick")).unwrap();
    fs::write(world.path("stick/net.whl"), b"not it").unwrap();
    let (done, said) = world.install(&InstallOptions { from: vec![world.path("stick")], ..world.options() });
    assert_eq!(done.unwrap().written.len(), 2, "the client brings the right one");
    assert!(said.contains("passed over") && said.contains(&Digest::of(b"not it").to_string()), "{said}");
    assert_eq!(read(world.path("stick/net.whl")), b"not it");
}

#[test]
fn what_is_missing_is_said_with_the_way_out() {
    let world = World::new();
    let (offline, _) = world.install(&InstallOptions { offline: true, ..world.options() });
    let text = offline.unwrap_err().to_string();
    assert!(text.contains("--offline") && text.contains("net.whl"), "{text}");
    assert_eq!(world.asked(), "");

    world.program("python", "echo 'WARNING: Retrying (Retry(total=0))' >&2; echo 'ERROR: No matching distribution found for net-package==1.0' >&2; exit 1");
    let text = world.install(&world.options()).0.unwrap_err().to_string();
    assert!(text.contains("No matching distribution") && text.contains("--from DIR"), "{text}");
    assert!(!text.contains("Retrying"), "{text}");

    world.program("python", "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    let text = world.install(&world.options()).0.unwrap_err().to_string();
    assert!(text.contains("apt install python3-pip"), "{text}");

    let mut options = world.options();
    options.clients.python = world.path("nowhere/python3");
    let text = world.install(&options).0.unwrap_err().to_string();
    assert!(text.contains("apt install python3-pip"), "{text}");

    let (folder, _) = world.install(&InstallOptions { from: vec![world.path("nowhere")], ..world.options() });
    assert!(folder.unwrap_err().to_string().contains("is not a folder"));
    let (unknown, _) = world.install(&InstallOptions { models: vec!["plane".into()], ..world.options() });
    let text = unknown.unwrap_err().to_string();
    assert!(text.contains("no model \"plane\"; known are better, plain"), "{text}");
}

#[test]
fn a_damaged_model_is_made_again_and_an_edited_description_is_kept() {
    let world = World::new();
    world.install(&world.options()).0.unwrap();
    fs::write(world.path("models/plain.onnx"), b"rotten").unwrap();
    let edited = fs::read_to_string(world.path("models/plain.toml")).unwrap().replace("64", "128");
    fs::write(world.path("models/plain.toml"), &edited).unwrap();
    let (done, said) = world.install(&world.options());
    assert_eq!(done.unwrap().written, ["plain"]);
    assert_eq!(read(world.path("models/plain.onnx")), UPSTREAM);
    assert_eq!(fs::read_to_string(world.path("models/plain.toml")).unwrap(), edited);
    assert!(said.contains("plain.toml was changed by hand and is kept"), "{said}");
    assert!(!said.contains("fetching net"), "the download is still there: {said}");
}

#[test]
fn a_damaged_download_is_fetched_again() {
    let world = World::new();
    world.install(&world.options()).0.unwrap();
    fs::remove_file(world.path("models/plain.onnx")).unwrap();
    fs::write(world.path("downloads/net.whl"), b"cut short").unwrap();
    let (done, said) = world.install(&world.options());
    assert_eq!(done.unwrap().written, ["plain"]);
    assert!(said.contains("is damaged and is fetched again"), "{said}");
}

#[test]
fn an_archive_that_does_not_hold_what_it_should_is_an_error_in_words() {
    let mut world = World::new();
    let empty = zipped(&[("dist/LICENSE", LICENCE)]);
    let other = zipped(&[("dist/LICENSE", LICENCE), ("data/net.onnx", b"another network")]);
    for (archive, part) in [
        (empty, "\"data/net.onnx\" is not in it"),
        (other, "is damaged: \"data/net.onnx\" in it has sha256"),
        (b"PK no zip at all".to_vec(), "cannot be unpacked"),
        (b"\x1f\x8b no gzip either".to_vec(), "cannot be unpacked"),
    ] {
        let package = world.manifest.packages.iter_mut().find(|package| package.name == "net").unwrap();
        (package.sha256, package.size) = (Digest::of(&archive), archive.len() as u64);
        fs::write(world.path("server/net.whl"), &archive).unwrap();
        let text = world.install(&world.options()).0.unwrap_err().to_string();
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_folder_for_the_models_cannot_be_made() {
    let world = World::new();
    fs::write(world.path("file"), b"").unwrap();
    let mut options = world.options();
    options.dir = world.path("file/models");
    let text = world.install(&options).0.unwrap_err().to_string();
    assert!(text.contains("file/models cannot be written"), "{text}");
}
