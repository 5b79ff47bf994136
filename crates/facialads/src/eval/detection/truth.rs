//! Labelled boxes: WIDER FACE's text, plain JSON, COCO's JSON.

use crate::eval::metrics::detection::Face;
use anyhow::{Context, Result, bail};
use facialads_vision::Rect;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub struct Labelled {
    pub file: PathBuf,
    pub faces: Vec<Face>,
}

#[derive(Default)]
pub struct Truth {
    pub pictures: Vec<Labelled>,
    /// Boxes and lines that say something unreadable, each with where and why.
    pub bad: Vec<String>,
}

/// `images`: where the pictures lie; beside the file if not given. Faces lower than `min_height` are ignored.
///
/// # Errors
/// The file cannot be read, or is of no known format.
pub fn read(file: &Path, images: Option<&Path>, min_height: f32) -> Result<Truth> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut truth = if text.trim_start().starts_with('{') {
        json(&text).with_context(|| file.display().to_string())?
    } else {
        wider(&text).with_context(|| file.display().to_string())?
    };
    let base = images.or_else(|| file.parent()).unwrap_or(Path::new("."));
    for picture in &mut truth.pictures {
        picture.file = base.join(&picture.file);
        for face in &mut picture.faces {
            face.ignored |= face.bounds.height < min_height;
        }
    }
    Ok(truth)
}

/// A file name, a count, and as many lines of `x y width height blur expression illumination invalid occlusion pose`. A
/// picture without faces has the count 0 and one line of zeros. Boxes marked invalid are ignored, as WIDER FACE's own
/// evaluation does.
fn wider(text: &str) -> Result<Truth> {
    let mut truth = Truth::default();
    let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())).peekable();
    while let Some((number, name)) = lines.next() {
        if name.is_empty() {
            continue;
        }
        let Some((_, count)) = lines.next() else { bail!("line {number}: the file ends after a name") };
        let Ok(count) = count.parse::<usize>() else {
            bail!(
                "line {}: \"{count}\" is no number of faces; known are WIDER FACE's text (name, count, boxes) and JSON",
                number + 1
            );
        };
        let mut picture = Labelled { file: name.into(), faces: Vec::new() };
        for _ in 0..count {
            let Some((number, line)) = lines.next() else {
                bail!("the file ends within the boxes of {name}")
            };
            match wider_box(line) {
                Ok(face) => picture.faces.push(face),
                Err(problem) => truth.bad.push(format!("line {number}: {problem}")),
            }
        }
        if count == 0 {
            let is_zeros = |line: &str| line.split_whitespace().all(|word| word == "0") && line.contains(' ');
            lines.next_if(|(_, line)| is_zeros(line));
        }
        truth.pictures.push(picture);
    }
    Ok(truth)
}

fn wider_box(line: &str) -> Result<Face, String> {
    let numbers: Vec<f32> = line
        .split_whitespace()
        .map(|word| word.parse().map_err(|_| format!("\"{line}\" is no box")))
        .collect::<Result<_, _>>()?;
    let [x, y, width, height, rest @ ..] = numbers.as_slice() else {
        return Err(format!("\"{line}\" has fewer than four numbers"));
    };
    face([*x, *y, *width, *height], rest.get(3).is_some_and(|invalid| *invalid != 0.0))
}

fn face([x, y, width, height]: [f32; 4], ignored: bool) -> Result<Face, String> {
    let bounds = Rect::new(x, y, width, height);
    if bounds.is_proper() && width > 0.0 {
        Ok(Face { bounds, ignored })
    } else {
        Err(format!("a box of {width} x {height} has no area"))
    }
}

#[derive(Deserialize)]
struct Json {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Option<Vec<Annotation>>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(alias = "file_name")]
    file: PathBuf,
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(default)]
    boxes: Vec<[f32; 4]>,
    /// As long as `boxes`, where given.
    #[serde(default)]
    ignored: Vec<bool>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: serde_json::Value,
    bbox: [f32; 4],
    #[serde(default)]
    iscrowd: u8,
    #[serde(default)]
    ignore: u8,
}

fn json(text: &str) -> Result<Truth> {
    let wanted = "expected {\"images\": [{\"file\": …, \"boxes\": [[x, y, width, height], …]}]} or COCO's images and annotations";
    let parsed: Json = serde_json::from_str(text).context(wanted)?;
    let mut truth = Truth::default();
    let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
    for image in parsed.images {
        let mut picture = Labelled { file: image.file, faces: Vec::new() };
        for (index, bounds) in image.boxes.into_iter().enumerate() {
            match face(bounds, image.ignored.get(index).copied().unwrap_or_default()) {
                Ok(face) => picture.faces.push(face),
                Err(problem) => truth.bad.push(format!("{}: {problem}", picture.file.display())),
            }
        }
        if let Some(id) = image.id {
            by_id.insert(id.to_string(), truth.pictures.len());
        }
        truth.pictures.push(picture);
    }
    for annotation in parsed.annotations.unwrap_or_default() {
        let id = annotation.image_id.to_string();
        let Some(picture) = by_id.get(&id).and_then(|index| truth.pictures.get_mut(*index)) else {
            truth.bad.push(format!("an annotation of image {id}, which is not among the images"));
            continue;
        };
        match face(annotation.bbox, annotation.iscrowd > 0 || annotation.ignore > 0) {
            Ok(face) => picture.faces.push(face),
            Err(problem) => truth.bad.push(format!("{}: {problem}", picture.file.display())),
        }
    }
    Ok(truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_text_with_an_invalid_face_an_empty_picture_and_a_bad_box() {
        let text = "0--Parade/a.jpg\n3\n449 330 122 149 0 0 0 0 0 0\n10 10 5 5 0 0 0 1 0 0\n1 1 0 7 0 0 0 0 0 0\n\
                    b.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \nc.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n";
        let truth = wider(text).unwrap();
        assert_eq!(truth.pictures.len(), 3);
        let faces = &truth.pictures[0].faces;
        assert_eq!(faces[0], Face { bounds: Rect::new(449.0, 330.0, 122.0, 149.0), ignored: false });
        assert!(faces[1].ignored && faces.len() == 2);
        assert!(truth.bad[0].starts_with("line 5"), "{}", truth.bad[0]);
        assert!(truth.pictures[1].faces.is_empty());
        assert_eq!(truth.pictures[2].file, Path::new("c.jpg"));
    }

    #[test]
    fn text_that_is_not_widers_is_refused() {
        let error = wider("file,age\na.jpg,3\n").err().unwrap().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(wider("a.jpg\n2\n1 2 3 4\n").is_err());
        assert!(wider("").unwrap().pictures.is_empty());
    }

    #[test]
    fn plain_json_and_cocos() {
        let plain = r#"{"images":[{"file":"a.jpg","boxes":[[1,2,3,4],[0,0,-1,5]],"ignored":[true,false]}]}"#;
        let truth = json(plain).unwrap();
        assert!(truth.pictures[0].faces[0].ignored && truth.bad.len() == 1);
        let coco = r#"{"images":[{"id":7,"file_name":"b.jpg","width":9}],"annotations":[
            {"image_id":7,"bbox":[1,2,3,4],"iscrowd":1,"category_id":1},{"image_id":8,"bbox":[1,2,3,4]}]}"#;
        let truth = json(coco).unwrap();
        assert!(truth.pictures[0].faces[0].ignored);
        assert!(truth.bad[0].contains("image 8"));
        assert!(json("{}").is_err());
    }
}
