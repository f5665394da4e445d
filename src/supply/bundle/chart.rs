//! Charts through the `helm` program: their archives, and what they would install.

use crate::error::Result;
use crate::exec::Run;
use crate::host::web::patiently;
use crate::plan::chart::Chart;
use crate::yaml;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const HELM_DEADLINE: Duration = Duration::from_secs(120);

/// Puts a chart's archive into a folder under the name that helm gives it.
pub async fn fetch(helm: &Path, chart: &Chart, folder: &Path) -> Result<()> {
    let to = folder.to_string_lossy();
    let verb = match chart.source.starts_with("oci://") {
        true => [
            "pull",
            &chart.source,
            "--version",
            &chart.version,
            "-d",
            &to,
        ],
        false => [
            "package",
            &chart.source,
            "--version",
            &chart.version,
            "-d",
            &to,
        ],
    };
    let run = Run::new(helm, &verb).deadline(HELM_DEADLINE);
    patiently(&|_| {}, || run.output()).await.map(|_| ())
}

/// A chart's objects as it would be installed.
pub async fn rendered(helm: &Path, chart: &Chart, file: &Path) -> Result<Vec<Value>> {
    let file = file.to_string_lossy();
    let mut args = vec![
        "template",
        chart.name,
        &file,
        "--namespace",
        &chart.namespace,
    ];
    if chart.values != json!({}) {
        args.extend(["--values", "-"]);
    }
    let run = Run::new(helm, &args)
        .stdin(chart.values.to_string())
        .deadline(HELM_DEADLINE);
    yaml::read_values(&run.output().await?.stdout)
}
