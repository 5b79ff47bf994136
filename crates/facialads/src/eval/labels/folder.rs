//! Labels out of the names of files and folders: UTKFace's `[age]_[gender]_[race]_[date].jpg`, and sub-folders named after
//! emotions as FER and AffectNet come.

use super::{Labelled, Labels, Truth, value};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

const PICTURES: &[&str] = &["jpg", "jpeg", "png"];
/// Folders in folders that are followed.
const DEEPEST: usize = 8;

/// Pictures in order of their paths.
pub fn read(folder: &Path) -> Result<Labels> {
    let mut files = Vec::new();
    walk(folder, DEEPEST, &mut files).with_context(|| format!("cannot read {}", folder.display()))?;
    files.sort();
    let mut labels = Labels::default();
    for file in files {
        match parse(&file) {
            Ok(face) => labels.faces.push(face),
            Err(problem) => labels.bad.push(format!("{}: {problem}", file.display())),
        }
    }
    Ok(labels)
}

fn walk(folder: &Path, deepest: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if path.is_dir() {
            if deepest > 0 {
                walk(&path, deepest - 1, files)?;
            }
        } else if PICTURES.contains(&ending.as_str()) {
            files.push(path);
        }
    }
    Ok(())
}

fn parse(file: &Path) -> Result<Labelled, String> {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let emotion = value::emotion(&folder).ok();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match utkface(&name) {
        Ok((age, gender, group)) => Ok(Labelled {
            file: file.to_owned(),
            age: Some(age),
            gender: Some(gender),
            group: Some(group.to_owned()),
            emotion,
        }),
        Err(_) if emotion.is_some() => {
            Ok(Labelled { file: file.to_owned(), age: None, gender: None, group: None, emotion })
        }
        Err(problem) => Err(problem),
    }
}

fn utkface(name: &str) -> Result<(Truth, value::Gender, &'static str), String> {
    let mut parts = name.split('_');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some(age), Some(gender), Some(group), Some(_date)] = parts else {
        return Err(
            "neither named [age]_[gender]_[race]_[date] as UTKFace nor in a folder named after an emotion"
                .into(),
        );
    };
    let group = value::utkface_group(group).ok_or_else(|| format!("race \"{group}\" is not 0 to 4"))?;
    Ok((value::age(age)?, value::gender(gender)?, group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::labels::Gender;
    use facialads_vision::face::Emotion;

    #[test]
    fn utkface_names_and_emotion_folders() {
        let face = parse(Path::new("utk/26_1_2_20170116184024662.jpg.chip.jpg")).unwrap();
        assert_eq!((face.age, face.gender), (Some(Truth::Years(26.0)), Some(Gender::Female)));
        assert_eq!(face.group.as_deref(), Some("Asian"));
        let face = parse(Path::new("fer/test/surprise/im12.png")).unwrap();
        assert!(face.emotion == Some(Emotion::Surprised) && face.age.is_none());
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        // In UTKFace itself a few names lack the race.
        assert!(parse(Path::new("utk/61_1_20170109142408075.jpg")).is_err());
        assert!(parse(Path::new("utk/39_1_9_20170116174525125.jpg")).is_err());
        assert!(parse(Path::new("holiday.jpg")).is_err());
    }

    #[test]
    fn only_pictures_are_taken_in_order_and_from_sub_folders() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("happy")).unwrap();
        for name in ["9_0_0_1.jpg", "1_0_0_1.JPG", "notes.txt", "happy/x.png", "stray.png"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let labels = read(folder.path()).unwrap();
        let names: Vec<_> = labels.faces.iter().filter_map(|f| f.file.file_name()).collect();
        assert_eq!(names, ["1_0_0_1.JPG", "9_0_0_1.jpg", "x.png"]);
        assert!(labels.bad.len() == 1 && labels.bad[0].contains("stray.png"));
    }
}
