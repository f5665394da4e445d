//! Charts through the `helm` program (architecture, decision 1); what is there is read without it.

use super::access::Access;
use super::client::{is_absent, refused};
use super::crds::first_user;
use super::object::api;
use super::ready::{Deadline, deployment_ready};
use super::release::{Installed, installed};
use crate::error::{Error, Result};
use crate::exec::Run;
use crate::host::web::patiently;
use crate::plan::chart::{Chart, is_crds};
use crate::plan::outcome::{Change, Context, Outcome, Undone};
use crate::plan::thing::Thing;
use crate::supply::Supply;
use crate::supply::tool::Tool;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use std::time::Duration;

const HELM_DEADLINE: Duration = Duration::from_secs(180);

/// By these a person's helm goes to a cluster, or keeps its records in a place, that is not the one it
/// is started for here: they win over any kubeconfig (helm's `pkg/cli/environment.go`). Empty is unset.
const ELSEWHERE: [&str; 9] = [
    "HELM_DRIVER",
    "HELM_KUBEAPISERVER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEASUSER",
    "HELM_KUBECAFILE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBETOKEN",
];

/// Marks a release as ours in Helm's own record.
const MARK: &str = "gatewright environment ";

/// One cluster's Helm.
#[derive(Clone)]
pub struct Helm {
    pub client: Client,
    pub access: Access,
    pub environment: String,
    pub supply: Supply,
}

impl Helm {
    /// One run of `helm` on this cluster.
    async fn run(&self, args: &[&str], waiting: &(dyn Fn(String) + Send + Sync)) -> Result<Run> {
        let (flags, kubeconfig) = self.access.helm();
        let flags = flags.iter().map(String::as_str);
        let args: Vec<&str> = args.iter().copied().chain(flags).collect();
        let run = Run::new(self.supply.program(Tool::Helm, waiting).await?, &args)
            .deadline(HELM_DEADLINE);
        let run = run.with_variables(self.access.login_variables());
        let run = ELSEWHERE.iter().fold(run, |run, name| run.env(name, ""));
        Ok(match kubeconfig {
            Some(files) => run.env("KUBECONFIG", &files),
            None => run,
        })
    }

    /// Installs or upgrades a release; leaves it where version and values are already these.
    pub async fn apply(&self, chart: &Chart, context: &Context<'_>) -> Result<Outcome> {
        let before = installed(&self.client, &chart.namespace, chart.name).await?;
        let detail = format!("{} {}", chart.name, chart.version);
        // What we installed and somebody's helm has changed since is made ours again.
        let known = context.journal.knows(&thing(chart));
        let whole = !known || self.has_deployment(chart).await;
        let change = match &before {
            Some(release)
                if is_as_planned(release, chart) && (is_marked(release) || !known) && whole =>
            {
                Change::Unchanged
            }
            Some(release) => {
                if !is_marked(release) && !known {
                    return Err(foreign(release, chart));
                }
                if let Some(other) = neighbour(release, &self.environment)
                    && !known
                {
                    return Err(shared(release, chart, other));
                }
                context.journal.begin(&thing(chart))?;
                self.clear_interrupted(release, chart).await?;
                self.upgrade(chart, context).await?;
                Change::Updated
            }
            None => {
                context.journal.begin(&thing(chart))?;
                self.upgrade(chart, context).await?;
                Change::Created
            }
        };
        if !chart.is_crds() {
            let waiting = |reason: String| (context.waiting)(format!("{}: {reason}", chart.name));
            let deadline = Deadline::within(context.patience);
            deployment_ready(
                &self.client,
                &chart.namespace,
                chart.name,
                &deadline,
                &waiting,
            )
            .await?;
        }
        Ok(Outcome::new(change, detail))
    }

    /// Whether a chart's Deployment is there: helm keeps its record where somebody has deleted it, and
    /// makes it again with an upgrade to the same.
    async fn has_deployment(&self, chart: &Chart) -> bool {
        let all: Api<Deployment> = Api::namespaced(self.client.clone(), &chart.namespace);
        chart.is_crds() || !matches!(all.get_opt(chart.name).await, Ok(None))
    }

    /// A release whose helm was killed stays `pending` or `uninstalling` and refuses every further helm.
    /// Its record is taken away; what is left of the objects carries the release's name, so the next run
    /// adopts it.
    async fn clear_interrupted(&self, release: &Installed, chart: &Chart) -> Result<()> {
        if !release.status.starts_with("pending") && release.status != "uninstalling" {
            return Ok(());
        }
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &chart.namespace);
        let deleted = secrets
            .delete(&release.secret, &DeleteParams::default())
            .await;
        deleted.map(|_| ()).map_err(|e| {
            let next = format!("helm -n {} rollback {}", chart.namespace, chart.name);
            refused(
                format!("the interrupted release {} can't be taken up", chart.name),
                &e,
                next,
            )
        })
    }

    async fn upgrade(&self, chart: &Chart, context: &Context<'_>) -> Result<()> {
        let waiting = |said: String| (context.waiting)(format!("{}: {said}", chart.name));
        let source = self.supply.chart(chart)?;
        let mark = format!("{MARK}{}", self.environment);
        let mut args = vec![
            "upgrade",
            "--install",
            chart.name,
            &source,
            "--namespace",
            &chart.namespace,
            "--description",
            &mark,
            // Without it helm keeps the values of the release that is there.
            "--reset-values",
        ];
        if chart.values != json!({}) {
            args.extend(["--values", "-"]);
        }
        if source.starts_with("oci://") {
            args.extend(["--version", &chart.version]);
        }
        (context.waiting)(format!("{}: helm upgrade --install {source}", chart.name));
        let run = self.run(&args, &waiting).await?;
        let run = run.stdin(chart.values.to_string());
        let waiting = |said: String| (context.waiting)(format!("{}: {said}", chart.name));
        let done = patiently(&waiting, || run.output()).await;
        done.map(|_| ()).map_err(|error| Error {
            what: format!("chart {} {} can't be installed", chart.name, chart.version),
            facts: std::iter::once(error.what).chain(error.facts).collect(),
            ..error
        })
    }

    /// Uninstalls a release of ours; a CRD chart stays while anybody else has objects of its kinds,
    /// because uninstalling it deletes them all (facts 1.4).
    pub async fn remove(
        &self,
        name: &str,
        namespace: &str,
        context: &Context<'_>,
    ) -> Result<Undone> {
        let Some(release) = installed(&self.client, namespace, name).await? else {
            return Ok(Undone::Absent);
        };
        if !is_marked(&release) && release.status == "deployed" {
            return Ok(Undone::Kept(
                "it was installed by somebody else".to_string(),
            ));
        }
        if let Some(user) = self.user(name).await? {
            return Ok(Undone::Kept(format!("{user} uses it")));
        }
        let args = ["uninstall", name, "--namespace", namespace];
        self.run(&args, context.waiting).await?.output().await?;
        self.remove_classes(name).await?;
        Ok(Undone::Removed)
    }

    /// A controller leaves its classes behind: it may not delete them (facts 12). No
    /// Gateway is of them any more: the chart would have stayed.
    async fn remove_classes(&self, chart: &str) -> Result<()> {
        let version = "gateway.networking.k8s.io/v1";
        for class in classes(chart) {
            match api(&self.client, version, "GatewayClass", "")
                .delete(class, &DeleteParams::default())
                .await
            {
                Ok(_) => {}
                Err(e) if is_absent(&e) => {}
                Err(e) => {
                    let what = format!("GatewayClass {class} can't be deleted");
                    return Err(refused(what, &e, "kubectl get gatewayclasses"));
                }
            }
        }
        Ok(())
    }

    /// Any object of any owner that needs the chart. Ours are gone by now. A CRD chart is needed by
    /// every object of its kinds, a controller by those and by every Gateway of its classes.
    async fn user(&self, chart: &str) -> Result<Option<String>> {
        let crds = if is_crds(chart) {
            chart.to_string()
        } else {
            format!("{chart}-crds")
        };
        if let Some(user) = first_user(&self.client, &crds).await? {
            return Ok(Some(user));
        }
        let gateways = self.gateways().await?;
        let of_class = |gateway: &&DynamicObject| {
            let class = gateway
                .data
                .pointer("/spec/gatewayClassName")
                .and_then(Value::as_str);
            class.is_some_and(|class| classes(chart).contains(&class))
        };
        let user = gateways.iter().find(of_class);
        Ok(user.map(|gateway| format!("Gateway {}", gateway.name_any())))
    }

    async fn gateways(&self) -> Result<Vec<DynamicObject>> {
        let gateways = api(&self.client, "gateway.networking.k8s.io/v1", "Gateway", "");
        match gateways.list(&ListParams::default()).await {
            Ok(list) => Ok(list.items),
            Err(e) if is_absent(&e) => Ok(Vec::new()),
            Err(e) => Err(refused(
                "the Gateways can't be listed",
                &e,
                "kubectl get gateways -A",
            )),
        }
    }
}

/// The classes that a chart's controller makes (facts 2).
fn classes(chart: &str) -> &'static [&'static str] {
    match chart {
        "agentgateway" => &["agentgateway"],
        "kgateway" => &["kgateway", "kgateway-waypoint"],
        _ => &[],
    }
}

fn thing(chart: &Chart) -> Thing {
    Thing::Chart {
        name: chart.name.to_string(),
        namespace: chart.namespace.clone(),
    }
}

/// A release that we installed to the end carries our mark; one that failed or was interrupted
/// carries Helm's own words instead.
pub fn is_marked(release: &Installed) -> bool {
    release.description.starts_with(MARK)
}

/// A chart from a folder has the version that stands in it.
fn is_as_planned(release: &Installed, chart: &Chart) -> bool {
    let version = release.version == chart.version || !chart.source.starts_with("oci://");
    release.status == "deployed" && version && release.values == chart.values
}

/// The other environment that installed a release.
fn neighbour<'a>(release: &'a Installed, environment: &str) -> Option<&'a str> {
    let name = release.description.strip_prefix(MARK)?;
    (name != environment).then_some(name)
}

/// Two environments share one release of a chart, so both must want the same of it.
fn shared(release: &Installed, chart: &Chart, other: &str) -> Error {
    let what = format!("chart {} is there for environment `{other}`", chart.name);
    let error = Error::new(what, format!("gw plan --env {other}"));
    different(error, release, chart)
        .fact("two environments in one cluster share its charts: both must want the same of them")
}

fn different(error: Error, release: &Installed, chart: &Chart) -> Error {
    error
        .fact(format!(
            "there: version {}, status {}",
            release.version, release.status
        ))
        .fact(format!("planned: version {}", chart.version))
}

fn foreign(release: &Installed, chart: &Chart) -> Error {
    let what = format!("chart {} is there and is not ours", chart.name);
    different(Error::new(what, "gw up --adopt"), release, chart)
}
