//! The real packages, where they were downloaded or lie in `$FACIALADS_FROM`.

use super::{Converter, onnx::ModelProto};
use crate::{Digest, Origin, archive, fetch::Folders, fetch::Search, manifest};
use prost::Message as _;
use std::path::PathBuf;

/// A model's sources, if its package is at hand.
fn sources(name: &str) -> Option<Vec<Vec<u8>>> {
    let manifest = manifest().unwrap();
    let model = manifest.model(name).unwrap();
    let Origin::Package(package) = &model.origin else { return None };
    let package = manifest.package(package).unwrap();
    let mut folders = vec![facialads_testkit::models_dir().join("../downloads")];
    folders.extend(std::env::var_os("FACIALADS_FROM").map(PathBuf::from));
    folders.retain(|folder| folder.is_dir());
    let found = Folders::scan(&folders).unwrap().find(&package.file, Some(package.size), package.sha256);
    let Search::Found(path) = found else {
        facialads_testkit::skip(&format!("{} is not downloaded (run `make setup`)", package.file));
        return None;
    };
    let paths: Vec<&str> = model.sources.iter().map(|source| source.path.as_str()).collect();
    let mut members = archive::members(&path, &paths).unwrap();
    Some(paths.iter().map(|path| members.remove(*path).unwrap()).collect())
}

/// Sum of the sizes of all constants: weights, normalisation and (SSD) default boxes.
fn constants(onnx: &[u8]) -> i64 {
    let graph = ModelProto::decode(onnx).unwrap().graph.unwrap();
    graph.initializer.iter().map(|tensor| tensor.dims.iter().product::<i64>()).sum()
}

#[test]
fn conversion_gives_the_files_in_the_manifest_with_the_published_number_of_parameters() {
    for (name, parameters) in [
        ("ssd-mobilenet-v1", 5_550_996),
        ("tiny-face", 193_325),
        ("age-gender", 421_735),
        ("faceres", 3_484_447),
        ("expression", 323_691),
        ("landmarks-68-tiny", 77_228),
        ("efficientnet-lite0", 4_631_070),
    ] {
        let Some(sources) = sources(name) else { continue };
        let model = manifest().unwrap().model(name).unwrap();
        let onnx = model.converter.convert(&sources).unwrap();
        assert_eq!(Digest::of(&onnx), model.sha256, "{name}");
        assert_eq!(constants(&onnx), parameters, "{name}");
    }
}

#[test]
fn truncated_and_swapped_weights_are_refused_in_words() {
    let (Some(age), Some(expression)) = (sources("age-gender"), sources("expression")) else { return };
    let convert = |list: &[u8], numbers: &[u8]| {
        Converter::TfjsAgeGender.convert(&[list.to_vec(), numbers.to_vec()]).unwrap_err().to_string()
    };
    let cut = convert(&age[0], &age[1][..age[1].len() - 1]);
    assert!(cut.contains("ends within \"fc/gender/bias\""), "{cut}");
    assert!(convert(&age[0], &[]).contains("entry_flow/conv_in/filters"));
    assert!(convert(&expression[0], &expression[1]).contains("is missing"));
    let text = String::from_utf8(age[0].clone()).unwrap();
    let narrower = text.replacen("[3,3,3,32]", "[3,1,9,32]", 1);
    assert!(convert(narrower.as_bytes(), &age[1]).contains("does not fit onto 3 channels"));
    assert!(Converter::TfjsAgeGender.convert(&age[..1]).unwrap_err().to_string().contains("expected 2"));
}

#[test]
fn a_damaged_checkpoint_is_refused_in_words() {
    let Some(sources) = sources("efficientnet-lite0") else { return };
    let convert =
        |bytes: &[u8]| Converter::TorchEfficientnetLite0.convert(&[bytes.to_vec()]).unwrap_err().to_string();
    let whole = &sources[0];
    assert!(convert(&whole[..whole.len() - 4]).contains("ends within \"storage"));
    assert!(convert(&whole[..1000]).contains("pickle is refused at byte 1000"));
    assert!(convert(b"PK\x03\x04").contains("has no place in a list of weights"));
    let renamed: Vec<u8> = {
        let at = whole.windows(15).position(|w| w == b"_conv_stem.weig").unwrap();
        let mut bytes = whole.clone();
        bytes[at] = b'x';
        bytes
    };
    assert!(convert(&renamed).contains("\"_conv_stem.weight\" is missing"));
}
