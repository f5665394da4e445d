//! `gw upgrade [VERSION]`: checks, backs up, CRDs before controllers, proves, and goes back by itself.

use super::Outcome;
use super::prove::has_failed;
use super::session::Session;
use super::versions::offered;
use crate::apply::ledger::Ledger;
use crate::apply::perform::Run;
use crate::apply::record::{Record, now, write};
use crate::cli::Upgrade;
use crate::diagnose::applied::Applied;
use crate::diagnose::snapshot::Snapshot;
use crate::diagnose::upgrade::{is_known, is_newer, schemas, vanishing};
use crate::error::{Error, Exit, Result};
use crate::exec;
use crate::plan::chart::{Chart, charts};
use crate::plan::{Action, Phase, Step};
use crate::profile::{Image, Release};
use crate::report::document::Document;
use crate::report::human;
use crate::secret::redact;
use crate::secret::vault::Vault;
use crate::supply::tool::Tool;
use crate::target::Target;
use crate::verify::check::Finding;
use crate::yaml;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

const SETTLE: Duration = Duration::from_secs(20);
const RENDER: Duration = Duration::from_secs(60);

pub async fn run(session: &Session, options: &Upgrade) -> Outcome {
    let (_lock, mut record) = session.locked("upgrade").await?;
    if record.target == "embedded" {
        let what = "the embedded gateway has no charts: it is of this gw's own version";
        return Err(Error::usage(what, "gw --version"));
    }
    let paths = session.environment();
    let release = session.release(&record).await?;
    let version = wanted(&release, options).await?;
    if version == release.version {
        let newest = match options.version {
            Some(_) => "",
            None => ", and nothing of 2.2 is newer",
        };
        let said = format!("{version} is what is installed{newest}\n");
        match session.is_json() {
            true => session.write(
                &Document::new("upgrade", &record.environment)
                    .set("version", version)
                    .text(),
            ),
            false => session.write(&said),
        }
        return Ok(None);
    }
    let next = Release {
        version: version.clone(),
        ..release.clone()
    };
    let applied = Applied::load(&paths).unwrap_or_default();
    let task = session.sink.begin("checks");
    let snapshot = check(&record, session, &next, &applied).await?;
    task.done(format!(
        "{} to {version}: no field of ours vanishes, versions are in range",
        release.version
    ));
    if !options.yes {
        match session
            .ask(&format!(
                "Upgrade {} from {} to {version}?",
                record.place(),
                release.version
            ))
            .await
        {
            Some(true) => {}
            Some(false) => return Err(Error::new("nothing was changed", "gw versions")),
            None => {
                return Err(Error::usage(
                    "nobody can be asked here",
                    format!("gw upgrade {version} --yes"),
                ));
            }
        }
    }
    let task = session.sink.begin("backup");
    let folder = back_up(session, &snapshot, &release, &applied)?;
    task.done(folder.display().to_string());

    let target = session.target(&record);
    let installed = install(session, &record, target.as_ref(), &next, options.timeout).await;
    let proved = match installed {
        Ok(()) => Ok(session.prove(&record, SETTLE, None).await),
        Err(error) => Err(Fault::Install(error)),
    };
    let proved = proved.and_then(|proof| match has_failed(&proof) {
        true => Err(Fault::Proof(proof)),
        false => Ok(proof),
    });
    let proof = match proved {
        Ok(proof) => proof,
        Err(fault) => {
            return back(
                session, &record, &release, &version, fault, &folder, options,
            )
            .await;
        }
    };
    record.note_upgrade(&session.planned_version(&record).await?, &version);
    record.save(&paths)?;
    session.keep_proof(&proof)?;
    match session.is_json() {
        true => {
            let document = Document::new("upgrade", &record.environment)
                .set("from", release.version)
                .set("version", version)
                .set("backup", folder.to_string_lossy().into_owned());
            session.write(&document.findings(&proof).text());
        }
        false => {
            session.write(&format!("\n{}", human::proof(&proof, session.out)));
            session.write(&format!(
                "\n{} runs {version}, before it was {}\n",
                record.place(),
                release.version
            ));
        }
    }
    Ok(None)
}

/// The version that was asked for, if its charts are there, or the newest.
async fn wanted(release: &Release, options: &Upgrade) -> Result<String> {
    let typed = options
        .version
        .as_ref()
        .map(|version| match version.starts_with('v') {
            true => version.clone(),
            false => format!("v{version}"),
        });
    if let Some(version) = &typed {
        is_known(version).map_err(|why| Error::usage(why, "gw versions"))?;
    }
    let offered = offered(&release.charts).await?;
    match typed {
        None => match offered.into_iter().next() {
            Some(newest) if is_newer(&newest, &release.version) => Ok(newest),
            Some(_) => Ok(release.version.clone()),
            None => Err(Error::new(
                "the registry has no release of 2.2",
                "gw versions",
            )),
        },
        Some(version) if offered.contains(&version) => Ok(version),
        Some(version) => {
            let error = Error::new(
                format!("{version} has no chart agentgateway"),
                "gw versions",
            );
            let error = error.fact(
                "releases of 2.2 after April 2026 may come with the charts of kgateway alone",
            );
            Err(error.fact(format!("there are: {}", offered.join(", "))))
        }
    }
}

/// Everything that can be told before anything is changed.
async fn check(
    record: &Record,
    session: &Session,
    next: &Release,
    applied: &Applied,
) -> Result<Snapshot> {
    let vault = Vault::default();
    let snapshot = session.look(record, &vault, false).await;
    if !snapshot.place.alive {
        return Err(
            Error::new("the cluster does not answer", "gw debug").fact(snapshot.place.silence)
        );
    }
    let diagnosis = crate::diagnose::diagnose(&snapshot);
    let blocking = ["GW001", "GW002", "GW003", "GW004", "GW006", "GW055"];
    if let Some(found) = diagnosis
        .findings
        .iter()
        .find(|finding| blocking.contains(&finding.code))
    {
        let error = Error::new(
            format!("{} stands in the way: {}", found.code, found.found.cause),
            "gw debug",
        );
        return Err(error);
    }
    let coming = schemas(&rendered(session, next).await?);
    if coming.is_empty() {
        let what = format!("chart agentgateway-crds {} has no CRDs in it", next.version);
        return Err(Error::new(what, "gw versions"));
    }
    let lost = vanishing(&applied.objects, &coming);
    if let Some(first) = lost.first() {
        let what = format!(
            "{} does not know {} of ours",
            next.version,
            crate::text::count(lost.len(), "field")
        );
        let error = Error::new(what, "gw plan");
        return Err(lost
            .iter()
            .skip(1)
            .fold(error.fact(first.clone()), |error, field| {
                error.fact(field.clone())
            }));
    }
    Ok(snapshot)
}

/// The manifests of the coming CRD chart, as helm renders them.
async fn rendered(session: &Session, release: &Release) -> Result<Vec<Value>> {
    let Some(chart) = charts(release).into_iter().find(Chart::is_crds) else {
        return Ok(Vec::new());
    };
    let helm = session.supply.program(Tool::Helm, &|_| {}).await?;
    let mut args = vec!["template", chart.name, &chart.source];
    if chart.source.starts_with("oci://") {
        args.extend(["--version", &chart.version]);
    }
    let output = exec::Run::new(helm, &args)
        .deadline(RENDER)
        .output()
        .await?;
    yaml::read_values(&output.stdout)
}

/// Objects without keys, and the values of every release, so that a person can go back by hand too.
fn back_up(
    session: &Session,
    snapshot: &Snapshot,
    release: &Release,
    applied: &Applied,
) -> Result<PathBuf> {
    let folder = session
        .environment()
        .folder()
        .join("backups")
        .join(now().to_string());
    let kinds = [
        "Gateway",
        "HTTPRoute",
        "AgentgatewayBackend",
        "AgentgatewayPolicy",
        "AgentgatewayParameters",
    ];
    let objects = snapshot
        .objects
        .iter()
        .filter(|o| kinds.iter().any(|kind| o["kind"] == *kind));
    let objects: Vec<Value> = objects.map(redact::object).collect();
    write(&folder.join("objects.json"), &objects)?;
    write(&folder.join("applied.json"), applied)?;
    let values: Vec<Value> = charts(release)
        .iter()
        .map(|chart| serde_json::json!({"chart": chart.name, "version": chart.version, "namespace": chart.namespace, "source": chart.source, "values": chart.values}))
        .collect();
    write(&folder.join("charts.json"), &values)?;
    Ok(folder)
}

/// CRDs before controllers, then the gateway answers.
async fn install(
    session: &Session,
    record: &Record,
    target: &dyn Target,
    release: &Release,
    timeout: u64,
) -> Result<()> {
    let ledger = Ledger::open(&session.environment().ledger())?;
    let wires = Mutex::new(record.wires.clone());
    let vault = Vault::default();
    let run = Run {
        ledger: &ledger,
        sink: &session.sink,
        wires: &wires,
        patience: Duration::from_secs(timeout),
        force: false,
        vault: &vault,
    };
    let mut all = charts(release);
    all.sort_by_key(|chart| !chart.is_crds());
    for chart in all {
        let task = session.sink.begin(format!("chart {}", chart.name));
        let version = chart.version.clone();
        let waiting = |reason: String| task.waiting(reason);
        target
            .perform(&step(Action::Chart(chart)), &run.context(&waiting))
            .await?;
        task.done(version);
    }
    let task = session.sink.begin("gateway");
    let waiting = |reason: String| task.waiting(reason);
    let image: Option<Image> = release.proxy_image.clone();
    let outcome = target
        .perform(&step(Action::Answers(image)), &run.context(&waiting))
        .await?;
    task.done(outcome.detail);
    Ok(())
}

fn step(action: Action) -> Step {
    Step {
        id: "upgrade".to_string(),
        phase: Phase::Charts,
        needs: Vec::new(),
        action,
    }
}

enum Fault {
    Install(Error),
    Proof(Vec<Finding>),
}

/// The former version again, proved; the upgrade has failed all the same.
async fn back(
    session: &Session,
    record: &Record,
    release: &Release,
    version: &str,
    fault: Fault,
    folder: &std::path::Path,
    options: &Upgrade,
) -> Outcome {
    let (what, facts) = match fault {
        Fault::Install(error) => (error.what, error.facts),
        Fault::Proof(findings) => {
            let failed = findings.iter().filter(|finding| finding.next.is_some());
            let facts = failed
                .map(|finding| format!("{}: {}", finding.title, finding.summary))
                .collect();
            ("routes did not answer".to_string(), facts)
        }
    };
    session.sink.note(format!(
        "{version} failed: {what}; going back to {}",
        release.version
    ));
    let target = session.target(record);
    let installed = install(session, record, target.as_ref(), release, options.timeout).await;
    let error = Error::new(format!("{version} was taken back: {what}"), "gw versions");
    let error = facts.into_iter().fold(error, Error::fact);
    let error = match installed {
        Err(again) => Error {
            next: "gw up".to_string(),
            ..error.fact(format!(
                "going back to {} failed too: {again}",
                release.version
            ))
        },
        Ok(()) => {
            let proof = session.prove(record, SETTLE, None).await;
            session.keep_proof(&proof)?;
            match has_failed(&proof) {
                false => error.fact(format!(
                    "{} is there again, and every route is proved",
                    release.version
                )),
                true => error.fact(format!(
                    "{} is there again, and not every route answers",
                    release.version
                )),
            }
        }
    };
    Err(error
        .fact(format!(
            "what was there before is kept in {}",
            folder.display()
        ))
        .exit(Exit::Failed))
}

impl Session {
    /// The version that the profile itself names.
    async fn planned_version(&self, record: &Record) -> Result<String> {
        let plain = Record {
            upgraded: None,
            ..record.clone()
        };
        self.release(&plain).await.map(|release| release.version)
    }
}
