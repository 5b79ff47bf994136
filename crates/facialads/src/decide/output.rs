//! A decision in words and as JSON.

use anyhow::Result;
use facialads_campaign::{CampaignExplanation, Decision, Explanation, Outcome, ViewerExplanation};
use serde_json::{Value, json};

pub fn text(decision: &Decision, explanation: Option<&Explanation>) -> String {
    let mut lines = Vec::new();
    match decision.best() {
        Some(best) => {
            let duration =
                best.creative.duration.map(|d| format!(", {} s", d.as_secs_f64())).unwrap_or_default();
            lines.push(format!("{} / {} ({}{duration})", best.campaign, best.creative.id, best.advertiser));
            lines.push(format!("  {}", best.why));
            lines.push(format!("  {}", best.creative.uri));
        }
        None => {
            let reason =
                decision.no_profile.map(|reason| format!(" (no profile: {reason})")).unwrap_or_default();
            lines.push(format!("nothing is eligible: the programme goes on{reason}"));
        }
    }
    lines.push(String::new());
    match explanation {
        Some(explanation) => {
            explanation.campaigns.iter().for_each(|campaign| explained(campaign, &mut lines))
        }
        None => {
            lines.extend(decision.verdicts.iter().map(|v| format!("{}: {}", v.campaign, verdict(&v.outcome))))
        }
    }
    lines.join("\n") + "\n"
}

/// Why or why not, in public words.
fn verdict(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Chosen { basis, .. } => format!("chosen, {basis}"),
        Outcome::Eligible { basis, rank, .. } => format!("eligible, {basis}, rank {rank}"),
        Outcome::Refused(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            format!("refused: {}", reasons.join("; "))
        }
    }
}

fn explained(campaign: &CampaignExplanation, lines: &mut Vec<String>) {
    let rank = campaign.rank.map(|rank| format!(", rank {rank}")).unwrap_or_default();
    let basis = campaign.basis.map(|basis| format!(", {basis}")).unwrap_or_default();
    lines.push(format!("{}: {}{basis}{rank}", campaign.campaign, campaign.outcome));
    lines.extend(campaign.reasons.iter().map(|reason| format!("    {reason}")));
    if !campaign.wants.is_empty() {
        lines.push(format!("    wants {}", campaign.wants));
    }
    lines.extend(campaign.viewers.iter().map(viewer));
    if let Some(fit) = campaign.subject_fit {
        lines.push(format!("    subject fits {fit:.2}"));
    }
    if let Some(score) = campaign.score {
        lines.push(format!("    score {score:.3} (weight {})", campaign.weight));
    }
}

fn viewer(viewer: &ViewerExplanation) -> String {
    let part = |name: &str, fit: Option<f64>| fit.map(|fit| format!("{name} {fit:.2}, ")).unwrap_or_default();
    let (age, gender) = (part("age", viewer.age), part("gender", viewer.gender));
    let emotion = part("emotion", viewer.emotion);
    let share = viewer.share * 100.0;
    format!(
        "    viewer {} ({share:.0} % of the time): {age}{gender}{emotion}together {:.2}",
        viewer.viewer, viewer.total
    )
}

pub fn json(decision: &Decision, explanation: Option<&Explanation>) -> Result<String> {
    let choices: Vec<Value> = decision
        .choices
        .iter()
        .map(|choice| {
            json!({
                "campaign": choice.campaign, "name": choice.campaign_name, "advertiser": choice.advertiser,
                "creative": choice.creative.id, "uri": choice.creative.uri,
                "duration": choice.creative.duration.map(|d| d.as_secs_f64()),
                "basis": choice.basis.name(), "why": choice.why,
            })
        })
        .collect();
    let verdicts: Vec<Value> = decision
        .verdicts
        .iter()
        .map(|v| json!({ "campaign": v.campaign, "verdict": of(&v.outcome) }))
        .collect();
    let mut json = json!({
        "choices": choices,
        "no_profile": decision.no_profile.map(|reason| reason.name()),
        "verdicts": verdicts,
    });
    if let (Some(explanation), Some(object)) = (explanation, json.as_object_mut()) {
        object.insert("explanation".to_owned(), serde_json::to_value(explanation)?);
    }
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

fn of(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Chosen { basis, .. } => json!({ "outcome": "chosen", "basis": basis.name(), "rank": 1 }),
        Outcome::Eligible { basis, rank, .. } => {
            json!({ "outcome": "eligible", "basis": basis.name(), "rank": rank })
        }
        Outcome::Refused(reasons) => {
            let reasons: Vec<Value> =
                reasons.iter().map(|r| json!({ "code": r.code(), "text": r.to_string() })).collect();
            json!({ "outcome": "refused", "reasons": reasons })
        }
    }
}
