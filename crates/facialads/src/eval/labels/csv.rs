//! Labels out of a table whose first row names its columns.

use super::{
    Labelled, Labels,
    table::{self, Row},
    value,
};
use anyhow::{Result, bail};
use std::path::Path;

const FILE: &[&str] = &["file", "path", "filename", "file_name", "image", "img", "img_path"];
const AGE: &[&str] = &["age", "age_group", "age_bin"];
const GENDER: &[&str] = &["gender", "sex"];
const GROUP: &[&str] = &["group", "race", "ethnicity"];
const EMOTION: &[&str] = &["emotion", "expression"];

struct Columns {
    file: usize,
    age: Option<usize>,
    gender: Option<usize>,
    group: Option<usize>,
    emotion: Option<usize>,
}

/// `base`: where relative file names start.
pub fn read(text: &str, base: &Path) -> Result<Labels> {
    let mut rows = table::rows(text).into_iter();
    let Some(header) = rows.next() else {
        bail!("the file is empty; its first row names the columns: {}", FILE[0])
    };
    let mut labels = Labels::default();
    let columns = columns(&header.cells, &mut labels.notes)?;
    for row in rows {
        match parse(&row, &columns, base) {
            Ok(face) => labels.faces.push(face),
            Err(problem) => labels.bad.push(format!("line {}: {problem}", row.line)),
        }
    }
    Ok(labels)
}

fn columns(header: &[String], notes: &mut Vec<String>) -> Result<Columns> {
    let lower: Vec<String> = header.iter().map(|name| name.to_ascii_lowercase()).collect();
    let column = |names: &[&str]| lower.iter().position(|name| names.contains(&name.as_str()));
    let Some(file) = column(FILE) else {
        bail!("no column of files among \"{}\": name one of them {}", header.join(", "), FILE.join(", "));
    };
    let columns = Columns {
        file,
        age: column(AGE),
        gender: column(GENDER),
        group: column(GROUP),
        emotion: column(EMOTION),
    };
    let used = [Some(file), columns.age, columns.gender, columns.group, columns.emotion];
    let unused =
        header.iter().enumerate().filter(|(index, name)| !name.is_empty() && !used.contains(&Some(*index)));
    let unused: Vec<&str> = unused.map(|(_, name)| name.as_str()).collect();
    if !unused.is_empty() {
        notes.push(format!("columns that are not used: {}", unused.join(", ")));
    }
    Ok(columns)
}

fn parse(row: &Row, columns: &Columns, base: &Path) -> Result<Labelled, String> {
    let cell = |column: Option<usize>| {
        column.and_then(|column| row.cells.get(column)).map(String::as_str).filter(|cell| !cell.is_empty())
    };
    let file = cell(Some(columns.file)).ok_or("no file is named")?;
    Ok(Labelled {
        file: base.join(file),
        age: cell(columns.age).map(value::age).transpose()?,
        gender: cell(columns.gender).map(value::gender).transpose()?,
        group: cell(columns.group).map(str::to_owned),
        emotion: cell(columns.emotion).map(value::emotion).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{labels::Gender, metrics::interval::Truth};
    use facialads_vision::face::Emotion;

    #[test]
    fn columns_are_known_by_name_in_any_order_and_case() {
        let text =
            "Race,IMAGE,service_test,Gender,Age,Expression\nBlack,a.jpg,True,Female,3-9,happy\n,b.jpg,,,,\n";
        let labels = read(text, Path::new("/data")).unwrap();
        let [a, b] = labels.faces.as_slice() else { panic!("two faces") };
        assert_eq!(a.file, Path::new("/data/a.jpg"));
        assert_eq!((a.gender, a.group.as_deref()), (Some(Gender::Female), Some("Black")));
        assert_eq!(a.age, Some(Truth::Bin { low: 3.0, high: 10.0 }));
        assert!(a.emotion == Some(Emotion::Happy));
        assert!(b.age.is_none() && b.gender.is_none() && b.group.is_none() && b.emotion.is_none());
        assert_eq!(labels.notes, ["columns that are not used: service_test"]);
    }

    #[test]
    fn a_bad_row_is_named_with_its_line_and_the_others_stay() {
        let labels = read("file,age\na.jpg,old\nb.jpg,30\n,4\n", Path::new(".")).unwrap();
        assert_eq!(labels.faces.len(), 1);
        assert!(labels.bad[0].starts_with("line 2: \"old\""), "{}", labels.bad[0]);
        assert_eq!(labels.bad[1], "line 4: no file is named");
    }

    #[test]
    fn a_table_without_files_says_what_it_has() {
        let error = read("name,years\n", Path::new(".")).err().unwrap().to_string();
        assert!(error.contains("name, years") && error.contains("file"), "{error}");
        assert!(read("", Path::new(".")).is_err());
    }
}
