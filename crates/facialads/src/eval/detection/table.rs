//! The report for people at a terminal.

use super::DetectionReport;
use crate::eval::{
    result::EvalResult,
    text::{number, share},
};
use std::fmt::{self, Write};

pub fn table(report: &DetectionReport, result: &EvalResult) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_all(&mut out, report, result);
    out
}

fn write_all(out: &mut String, report: &DetectionReport, result: &EvalResult) -> fmt::Result {
    let system = &result.system;
    writeln!(out, "{}, {}, {}", result.data.name, result.date, result.tool)?;
    writeln!(out, "{} on {}, {}", system.detector, system.device, system.runtime)?;
    writeln!(
        out,
        "{} pictures ({} unreadable), {} faces ({} ignored, {} bad boxes)",
        report.pictures, report.unreadable, report.faces, report.ignored, report.bad_boxes
    )?;
    let (median, p95) = (number(report.ms_median, 1), number(report.ms_p95, 1));
    writeln!(out, "{median} ms a picture (median; 95 % within {p95} ms)")?;
    for at in &report.at_iou {
        writeln!(out, "\nIoU {}", at.iou)?;
        let line = |out: &mut String, what: &str, figure: &str| writeln!(out, "  {what:<34} {figure}");
        line(out, "average precision", &number(at.ap, 3))?;
        line(out, "average precision, faces >= 16 px", &number(at.ap_from_16, 3))?;
        line(out, "recall", &share(&at.recall))?;
        for bin in &at.recall_by_height {
            line(out, &format!("  {} px high", bin.height), &share(&bin.recall))?;
        }
        line(out, "precision", &share(&at.precision))?;
        line(out, "false positives a picture", &number(at.false_positives_per_picture, 2))?;
    }
    Ok(())
}
