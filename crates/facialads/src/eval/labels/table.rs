//! Text with separators (RFC 4180), as spreadsheets write it: quotes, any line end, comma, semicolon or tab.

/// A row: the number of its first line, counted from 1, and its cells.
pub struct Row {
    pub line: usize,
    pub cells: Vec<String>,
}

/// Rows of cells, without surrounding blanks. Empty lines are left out; the separator is the one of comma, semicolon and
/// tab that the first line has most of.
pub fn rows(text: &str) -> Vec<Row> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let header = text.lines().next().unwrap_or_default();
    let separator = [',', ';', '\t'].into_iter().max_by_key(|s| (header.matches(*s).count(), *s == ','));
    let separator = separator.unwrap_or(',');
    let mut rows = Vec::new();
    let mut row = Row { line: 1, cells: Vec::new() };
    let (mut cell, mut quoted, mut line) = (String::new(), false, 1);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                quoted = true;
            }
            '\n' if !quoted => {
                line += 1;
                finish(&mut rows, &mut row, &mut cell, line);
            }
            _ if character == separator && !quoted => {
                row.cells.push(std::mem::take(&mut cell).trim().to_owned());
            }
            _ => {
                line += usize::from(character == '\n');
                cell.push(character);
            }
        }
    }
    finish(&mut rows, &mut row, &mut cell, line);
    rows
}

fn finish(rows: &mut Vec<Row>, row: &mut Row, cell: &mut String, next_line: usize) {
    row.cells.push(std::mem::take(cell).trim().to_owned());
    let done = std::mem::replace(row, Row { line: next_line, cells: Vec::new() });
    if done.cells.iter().any(|cell| !cell.is_empty()) {
        rows.push(done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<(usize, Vec<String>)> {
        rows(text).into_iter().map(|row| (row.line, row.cells)).collect()
    }

    #[test]
    fn quotes_blank_lines_line_ends_and_a_byte_order_mark() {
        let text = "\u{feff}file,age\r\n\"a, b.jpg\", 20-29 \r\n\r\n\"say \"\"hi\"\"\",3\n";
        let expected = [(1, ["file", "age"]), (2, ["a, b.jpg", "20-29"]), (4, ["say \"hi\"", "3"])];
        let expected = expected.map(|(line, cells)| (line, cells.map(str::to_owned).to_vec()));
        assert_eq!(cells(text), expected);
    }

    #[test]
    fn a_quoted_line_end_keeps_the_count_of_lines() {
        let found = cells("a;b\n\"x\ny\";1\nz;2");
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(found[1].1, ["x\ny", "1"]);
    }

    #[test]
    fn tabs_and_a_quote_that_never_ends() {
        assert_eq!(cells("a\tb\n1\t2")[1].1, ["1", "2"]);
        assert_eq!(cells("a,b\n\"1,2").len(), 2);
        assert!(cells("").is_empty());
    }
}
