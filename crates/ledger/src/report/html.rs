//! The report as one page. Everything that comes out of the store is escaped; the page runs no script and loads nothing.

use super::{
    AudienceRow, AudienceTable, BreakRow, CampaignRow, Report,
    table::{audience, time},
};
use std::fmt::{self, Display, Write};

const STYLE: &str = include_str!("style.css");

pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> fmt::Result {
    let title = match &report.screen {
        Some(screen) => format!("Advertising report: {screen}"),
        None => "Advertising report".to_owned(),
    };
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{0}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n<header><h1>{0}</h1><p>{1}</p></header>\n",
        Text(&title),
        Text(&period(report)),
    )?;
    if let Some(warning) = &report.warning {
        writeln!(page, "<p class=\"warning\">{}</p>", Text(warning))?;
    }
    if !report.summary.chain_whole {
        writeln!(
            page,
            "<p class=\"warning\"><b>The ledger has been changed.</b> Its chain is {}. Do not rely on this report.</p>",
            Text(&report.summary.chain)
        )?;
    }
    tiles(page, report)?;
    basis(page, report)?;
    breaks(page, report)?;
    campaigns(page, report)?;
    people(page, report)?;
    footer(page, report)?;
    page.write_str("</main></body></html>\n")
}

fn period(report: &Report) -> String {
    match (report.from, report.to) {
        (Some(from), Some(to)) => {
            format!("{} to {} ({})", report.local(from), report.local(to), report.zone)
        }
        _ => "Nothing on record in this period".to_owned(),
    }
}

fn tiles(page: &mut String, report: &Report) -> fmt::Result {
    let summary = &report.summary;
    let rate = (summary.complete * 100).checked_div(summary.impressions).unwrap_or(0);
    let seen = report.audience.first().and_then(|table| table.rows.last()).map(|row| row.total);
    page.write_str("<section class=\"tiles\">")?;
    let mut tile = |value: &str, label: &str| {
        write!(page, "<div class=\"tile\"><b>{}</b><span>{}</span></div>", Text(value), Text(label))
    };
    tile(&thousands(summary.impressions), "advertisements shown")?;
    tile(&format!("{rate} %"), "shown to the end")?;
    tile(&thousands(summary.frames), "frames shown")?;
    tile(&thousands(summary.held_frames), "frames held (decoder late)")?;
    tile(&thousands(summary.skipped), "skipped")?;
    match seen {
        Some(Some(people)) => tile(&thousands(people), "people counted")?,
        Some(None) => tile("withheld", &format!("people counted: below k = {}", report.k))?,
        None => tile("–", "people counted: none on record")?,
    }
    page.write_str("</section>\n")
}

/// Class of the style sheet for a basis.
fn class(basis: &str) -> &'static str {
    match basis {
        "by profile" => "profile",
        "by subject" => "subject",
        "run of schedule" => "schedule",
        "house" => "house",
        _ => "nothing",
    }
}

fn basis(page: &mut String, report: &Report) -> fmt::Result {
    let summary = &report.summary;
    if summary.by_basis.is_empty() {
        return Ok(());
    }
    page.write_str("<h2>What the choices rest on</h2><div class=\"bar\">")?;
    for (basis, count) in &summary.by_basis {
        write!(page, "<i class=\"{}\" style=\"flex:{count}\"></i>", class(basis))?;
    }
    page.write_str("</div><ul class=\"legend\">")?;
    for (basis, count) in &summary.by_basis {
        let (class, basis) = (class(basis), Text(basis));
        write!(page, "<li><span class=\"dot {class}\"></span>{basis} <b>{count}</b></li>")?;
    }
    page.write_str("</ul>")?;
    if !summary.no_profile.is_empty() {
        let reasons: Vec<String> =
            summary.no_profile.iter().map(|(reason, count)| format!("{reason} ({count})")).collect();
        let reasons = reasons.join(", ");
        write!(page, "<p class=\"lead\">Decisions in which people played no part: {}.</p>", Text(&reasons))?;
    }
    page.write_str("\n")
}

fn breaks(page: &mut String, report: &Report) -> fmt::Result {
    page.write_str(
        "<h2>Breaks</h2><p class=\"lead\">What was decided for each place in a break, and what then left the screen's \
         pipeline, counted in frames.</p><div class=\"sheet\"><table><thead><tr><th>Time</th><th>Audience</th>\
         <th>Programme about</th><th>Shown</th><th>Why</th><th class=\"n\">Frames</th><th>End</th></tr></thead><tbody>\n",
    )?;
    if report.breaks.is_empty() {
        page.write_str("<tr><td colspan=\"7\" class=\"soft\">No breaks on record.</td></tr>")?;
    }
    for row in &report.breaks {
        break_row(page, report, row)?;
    }
    page.write_str("</tbody></table></div>\n")
}

fn break_row(page: &mut String, report: &Report, row: &BreakRow) -> fmt::Result {
    let place = format!("{}, at {}", report.local(row.at), row.screen);
    write!(page, "<tr><td class=\"t\">{}<small>{}</small></td>", time(row), Text(&place))?;
    write!(page, "<td>{}</td>", Text(&audience(row)))?;
    let subject = row.subject.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    write!(page, "<td>{}</td>", Text(or_dash(&subject)))?;
    let creative = row.creative.as_deref().unwrap_or("programme");
    let beside = [row.advertiser.as_deref(), row.campaign.as_deref()];
    let beside = beside.into_iter().flatten().collect::<Vec<_>>().join(", ");
    write!(page, "<td>{}<small>{}</small></td>", Text(creative), Text(&beside))?;
    let basis = row.basis.as_deref().unwrap_or("");
    // The reason begins with the basis, which the tag shows already.
    let why =
        row.why.strip_prefix(basis).map_or(row.why.as_str(), |rest| rest.trim_start_matches([':', ' ']));
    page.write_str("<td>")?;
    if !basis.is_empty() {
        write!(
            page,
            "<span class=\"tag\"><span class=\"dot {}\"></span>{}</span>",
            class(basis),
            Text(basis)
        )?;
    }
    write!(page, "<small>{}</small></td>", Text(why))?;
    write!(page, "<td class=\"n\">{}", thousands(row.frames))?;
    if row.held_frames > 0 {
        write!(page, "<small>{} held</small>", thousands(row.held_frames))?;
    }
    let end = match (row.shown, row.complete) {
        (true, true) => "ok",
        (true, false) => "no",
        (false, _) => "soft",
    };
    writeln!(page, "</td><td class=\"{end}\">{}</td></tr>", Text(or_dash(&row.ended)))
}

fn campaigns(page: &mut String, report: &Report) -> fmt::Result {
    page.write_str(
        "<h2>Campaigns</h2><p class=\"lead\">Proof of play. The columns of the small chart are the impressions that \
         started and that reached a quarter, half, three quarters and the end.</p><div class=\"sheet\"><table><thead><tr>\
         <th>Creative</th><th class=\"n\">Impressions</th><th>Reached</th><th class=\"n\">¼</th><th class=\"n\">½</th>\
         <th class=\"n\">¾</th><th class=\"n\">End</th><th class=\"n\">Frames</th><th class=\"n\">Held</th>\
         <th class=\"n\">Seconds</th><th class=\"n\">Skipped</th></tr></thead><tbody>\n",
    )?;
    if report.campaigns.is_empty() {
        page.write_str("<tr><td colspan=\"11\" class=\"soft\">Nothing was shown.</td></tr>")?;
    }
    for row in &report.campaigns {
        campaign_row(page, row)?;
    }
    page.write_str("</tbody></table></div>\n")
}

fn campaign_row(page: &mut String, row: &CampaignRow) -> fmt::Result {
    let beside = [row.advertiser.as_str(), row.campaign.as_str()];
    let beside: Vec<&str> = beside.into_iter().filter(|text| !text.is_empty()).collect();
    write!(page, "<tr><td>{}<small>{}</small></td>", Text(&row.creative), Text(&beside.join(", ")))?;
    write!(page, "<td class=\"n\">{}</td><td><div class=\"funnel\">", thousands(row.impressions))?;
    let quartiles = [row.first_quartile, row.midpoint, row.third_quartile, row.complete];
    for reached in [row.impressions].into_iter().chain(quartiles) {
        write!(page, "<i style=\"height:{}%\"></i>", reached * 100 / row.impressions.max(1))?;
    }
    page.write_str("</div></td>")?;
    for number in quartiles.into_iter().chain([row.frames, row.held_frames]) {
        write!(page, "<td class=\"n\">{}</td>", thousands(number))?;
    }
    writeln!(page, "<td class=\"n\">{:.1}</td><td class=\"n\">{}</td></tr>", row.seconds, row.skipped)
}

fn people(page: &mut String, report: &Report) -> fmt::Result {
    let withheld = match report.k {
        1 => "Nothing is withheld (k = 1).".to_owned(),
        k => format!(
            "Counts below k = {k} are withheld, and others with them, so that they cannot be computed back."
        ),
    };
    writeln!(
        page,
        "<h2>People</h2><p class=\"lead\">Estimates, for people who agreed to them; each person once per creative. \
         {withheld}</p>",
    )?;
    if report.audience.is_empty() {
        page.write_str(
            "<p class=\"soft\">No audience counts on record. They are written in groups of three people or more.</p>\n",
        )?;
    }
    report.audience.iter().try_for_each(|table| people_table(page, table))
}

fn people_table(page: &mut String, table: &AudienceTable) -> fmt::Result {
    write!(
        page,
        "<h3>{}</h3><div class=\"sheet\"><table><thead><tr><th>While on screen</th>",
        Text(&table.dimension)
    )?;
    for band in &table.bands {
        write!(page, "<th class=\"n\">{}</th>", Text(band))?;
    }
    page.write_str("<th class=\"n\">People</th></tr></thead><tbody>\n")?;
    for row in &table.rows {
        people_row(page, row)?;
    }
    page.write_str("</tbody></table></div>\n")
}

fn people_row(page: &mut String, row: &AudienceRow) -> fmt::Result {
    let name = match (&row.creative, row.all) {
        (Some(creative), _) => creative.as_str(),
        (None, true) => "all",
        (None, false) => "programme",
    };
    let all = if row.all { " class=\"all\"" } else { "" };
    let campaign = row.campaign.as_deref().unwrap_or_default();
    write!(page, "<tr{all}><td>{}<small>{}</small></td>", Text(name), Text(campaign))?;
    for people in row.people.iter().chain([&row.total]) {
        match people {
            Some(people) => write!(page, "<td class=\"n\">{}</td>", thousands(*people))?,
            None => page.write_str("<td class=\"n withheld\">withheld</td>")?,
        }
    }
    page.write_str("</tr>\n")
}

fn footer(page: &mut String, report: &Report) -> fmt::Result {
    let count = |count: Option<u64>| count.map_or_else(|| "withheld".to_owned(), thousands);
    writeln!(
        page,
        "<footer><p>Ledger: {}. Consents granted: {}; withdrawn: {}.</p>\
         <p>No attribute of a person is stored beside an impression. “By profile” names what a campaign asked for, not what \
         was seen. Ages, genders and expressions are estimates of models and are wrong for some people.</p>\
         <p>Made {} ({}) by facialads {}.</p></footer>",
        Text(&report.summary.chain),
        count(report.summary.consents_granted),
        count(report.summary.consents_withdrawn),
        report.local(report.generated),
        Text(&report.zone),
        env!("CARGO_PKG_VERSION"),
    )
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}

/// 1234567 as 1 234 567, with narrow spaces that do not break.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Text that stays text, in elements and in quoted attributes.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
