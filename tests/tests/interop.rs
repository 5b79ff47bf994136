//! Faces for other programs: recipes of the elements' pages, run as they are on a clip with people.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_testkit::{root, shared, skip};
use std::process::Command;

/// The example of `facialads-meta`, on a clip of published content (people come after two seconds).
#[test]
fn json_lines_tell_of_faces_in_the_layout_of_gvametaconvert() {
    let Some(clip) = shared("data/video/googlework_short.mp4") else { return };
    if ["yunet", "age-gender"].iter().any(|name| facialads_testkit::model(name).is_none()) {
        return;
    }
    let (example, plugin) = ("target/debug/examples/json_lines", "target/debug/libgstfacialads.so");
    if [example, plugin].iter().any(|built| !root().join(built).exists()) {
        return skip(&format!("{example} or {plugin} is not built (run `make test`)"));
    }
    let line = format!(
        "filesrc location={} ! decodebin ! videoconvert ! identity eos-after=60 \
         ! consentgate lawful-basis=published-content statement=test \
         ! faceanalyze inference-interval=1 async=false",
        clip.display()
    );
    let mut command = Command::new("timeout");
    command.arg("120").arg(root().join(example)).arg(line);
    command.env("GST_PLUGIN_PATH", root().join("target/debug"));
    command.env("FACIALADS_MODELS", facialads_testkit::models_dir());
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        command.env("ORT_DYLIB_PATH", root().join(".cache/lib/libonnxruntime.so"));
    }
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(!lines.is_empty(), "{err}");
    for line in lines {
        assert!(line.starts_with(r#"{"objects":["#) && line.ends_with('}'), "{line}");
        for field in
            [r#""bounding_box":{"x_max":"#, r#""roi_type":"face""#, r#""region_id":"#, r#""resolution":{"#]
        {
            assert!(line.contains(field), "{field} is missing: {line}");
        }
    }
}
