//! Tables for a spreadsheet, after RFC 4180.

use super::{People, Report};

/// What stands for a count that is withheld.
const WITHHELD: &str = "withheld";

pub(super) fn breaks(report: &Report) -> String {
    let mut csv = Csv::default();
    csv.row(
        "at screen break position running_time_s people no_profile subject basis why campaign advertiser creative \
         shown frames held_frames seconds quartile complete ended"
            .split_whitespace()
            .map(str::to_owned),
    );
    for row in &report.breaks {
        let people = match row.people {
            People::NotCounted => String::new(),
            People::Count(people) => people.to_string(),
            People::Withheld => WITHHELD.to_owned(),
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        csv.row([
            row.at.to_string(),
            row.screen.clone(),
            row.break_id.clone(),
            row.position.to_string(),
            format!("{:.3}", row.running_time),
            people,
            text(&row.no_profile),
            row.subject.join("; "),
            text(&row.basis),
            row.why.clone(),
            text(&row.campaign),
            text(&row.advertiser),
            text(&row.creative),
            row.shown.to_string(),
            row.frames.to_string(),
            row.held_frames.to_string(),
            format!("{:.3}", row.seconds),
            row.quartile.map(|quartile| quartile.to_string()).unwrap_or_default(),
            row.complete.to_string(),
            row.ended.clone(),
        ]);
    }
    csv.0
}

pub(super) fn campaigns(report: &Report) -> String {
    let mut csv = Csv::default();
    csv.row(
        "campaign advertiser creative impressions frames held_frames seconds first_quartile midpoint third_quartile \
         complete skipped"
            .split_whitespace()
            .map(str::to_owned),
    );
    for row in &report.campaigns {
        let numbers = [row.impressions, row.frames, row.held_frames].map(|n| n.to_string());
        let quartiles = [row.first_quartile, row.midpoint, row.third_quartile, row.complete, row.skipped]
            .map(|n| n.to_string());
        let names = [row.campaign.clone(), row.advertiser.clone(), row.creative.clone()];
        csv.row(names.into_iter().chain(numbers).chain([format!("{:.3}", row.seconds)]).chain(quartiles));
    }
    csv.0
}

/// One line per count.
pub(super) fn audience(report: &Report) -> String {
    let mut csv = Csv::default();
    csv.row("campaign creative dimension band people k".split_whitespace().map(str::to_owned));
    for table in &report.audience {
        for row in &table.rows {
            let name = |name: &Option<String>| match name {
                Some(name) => name.clone(),
                None if row.all => "(all)".to_owned(),
                None => "(programme)".to_owned(),
            };
            let bands =
                table.bands.iter().map(String::as_str).zip(&row.people).chain([("total", &row.total)]);
            for (band, people) in bands {
                csv.row([
                    name(&row.campaign),
                    name(&row.creative),
                    table.dimension.clone(),
                    band.to_owned(),
                    people.map_or_else(|| WITHHELD.to_owned(), |people| people.to_string()),
                    report.k.to_string(),
                ]);
            }
        }
    }
    csv.0
}

#[derive(Default)]
struct Csv(String);

impl Csv {
    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.0.push_str(&escape(&cell));
        }
        self.0.push_str("\r\n");
    }
}

/// A spreadsheet would run a cell that begins like a formula.
fn escape(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}
