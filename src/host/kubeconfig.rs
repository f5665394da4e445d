//! The user's kubeconfig: it gains a context of ours and loses nothing; its current one stays.

use super::private;
use crate::error::{Error, Result};
use crate::yaml;
use kube::config::{Kubeconfig, NamedAuthInfo};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The files of KUBECONFIG, or `~/.kube/config`; absolute: other commands run in other folders.
pub fn user_files() -> Vec<PathBuf> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let files: Vec<PathBuf> = std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .map(|path| std::path::absolute(&path).unwrap_or(path))
        .collect();
    match files.is_empty() {
        true => vec![
            std::env::home_dir()
                .unwrap_or_default()
                .join(".kube/config"),
        ],
        false => files,
    }
}

/// The file that kubectl would write to: the first of them.
pub fn user_file() -> PathBuf {
    user_files().swap_remove(0)
}

/// Kubeconfig files as kubectl sees them: one file, and those that are not there are passed over.
pub fn merged(files: &[PathBuf]) -> Result<Kubeconfig> {
    let there = files.iter().filter(|path| path.exists());
    there
        .into_iter()
        .try_fold(Kubeconfig::default(), |file, path| {
            let next = Kubeconfig::read_from(path);
            let merged = next.and_then(|next| file.merge(next));
            merged.map_err(|e| {
                let next = format!("kubectl config view --kubeconfig {}", path.display());
                Error::new(format!("{} can't be read", path.display()), next).because(&e)
            })
        })
}

/// Whether the context's user needs no program to log in.
pub fn is_plain(file: &Kubeconfig, context: &str) -> bool {
    let context = file.contexts.iter().find(|c| c.name == context);
    let user = context.and_then(|c| c.context.as_ref()?.user.clone());
    let Some(user) = user else { return false };
    let is_it = |named: &&NamedAuthInfo| named.name == user;
    let info = file.auth_infos.iter().find(is_it);
    let info = info.and_then(|named| named.auth_info.as_ref());
    info.is_some_and(|info| info.exec.is_none() && info.auth_provider.is_none())
}

/// The API server to which a context leads.
pub fn server(file: &Kubeconfig, context: &str) -> Option<String> {
    let context = file.contexts.iter().find(|c| c.name == context)?;
    let cluster = &context.context.as_ref()?.cluster;
    let cluster = file.clusters.iter().find(|c| c.name == *cluster)?;
    cluster.cluster.as_ref()?.server.clone()
}

/// Adds what `own` holds to the user's file; `changing` is called before a first change.
pub fn add(own: &Path, user: &Path, changing: impl FnOnce() -> Result<()>) -> Result<()> {
    let own = read(own)?;
    let mut announced = Ok(());
    edit(user, |config| {
        let changed = merge(config, &own);
        if changed {
            announced = changing();
        }
        changed && announced.is_ok()
    })?;
    announced
}

/// Takes context, cluster and user of one name out again. True if there was anything. One that leads
/// elsewhere than `own` is another's by now and stays.
pub fn remove(name: &str, own: &Path, user: &Path) -> Result<bool> {
    let own = read(own).unwrap_or_default();
    match user.exists() {
        true => edit(user, |config| {
            !is_another(config, &own, name) && without(config, name)
        }),
        false => Ok(false),
    }
}

fn is_another(config: &Value, own: &Value, name: &str) -> bool {
    let cluster = |file: &Value| {
        let all = file["clusters"].as_array()?;
        all.iter().find(|entry| entry["name"] == name).cloned()
    };
    match (cluster(config), cluster(own)) {
        (Some(have), Some(wanted)) => !leads_to_the_same(&have, &wanted),
        _ => false,
    }
}

fn merge(config: &mut Value, own: &Value) -> bool {
    let before = config.clone();
    if !config.is_object() {
        *config = json!({"apiVersion": "v1", "kind": "Config"});
    }
    for list in ["clusters", "contexts", "users"] {
        for entry in own[list].as_array().into_iter().flatten() {
            if !config[list].is_array() {
                config[list] = json!([]);
            }
            let Some(entries) = config[list].as_array_mut() else {
                continue;
            };
            match entries
                .iter_mut()
                .find(|have| have["name"] == entry["name"])
            {
                // What the person changed in an entry that leads to the same place stays.
                Some(have) if leads_to_the_same(have, entry) => {}
                Some(have) => *have = entry.clone(),
                None => entries.push(entry.clone()),
            }
        }
    }
    *config != before
}

/// Clusters by server and authority, users by their certificate; contexts by what they join.
fn leads_to_the_same(have: &Value, wanted: &Value) -> bool {
    let parts = [
        "/cluster/server",
        "/cluster/certificate-authority-data",
        "/user/client-certificate-data",
        "/context/cluster",
        "/context/user",
    ];
    parts
        .iter()
        .all(|part| have.pointer(part) == wanted.pointer(part))
}

fn without(config: &mut Value, name: &str) -> bool {
    let before = config.clone();
    for list in ["clusters", "contexts", "users"] {
        if let Some(entries) = config.get_mut(list).and_then(Value::as_array_mut) {
            entries.retain(|entry| entry["name"] != name);
        }
    }
    // A current context that leads nowhere makes every kubectl fail.
    if config.get("current-context") == Some(&json!(name)) {
        config["current-context"] = json!("");
    }
    *config != before
}

/// Reads, changes and replaces the file under the lock that kubectl and kind use.
fn edit(path: &Path, change: impl FnOnce(&mut Value) -> bool) -> Result<bool> {
    let fault = |e: std::io::Error| {
        let next = format!("ls -l {}", path.display());
        Error::new(format!("{} can't be changed", path.display()), next).because(&e)
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fault)?;
    }
    let _lock = Lock::take(path)?;
    let mut config = if path.exists() {
        read(path)?
    } else {
        Value::Null
    };
    if !change(&mut config) {
        return Ok(false);
    }
    // A link stays a link: what it leads to is replaced.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let part = path.with_extension("gatewright");
    let text = yaml::write(&config);
    private::write(&part, &text)
        .and_then(|()| fs::rename(&part, path))
        .map_err(fault)?;
    Ok(true)
}

fn read(path: &Path) -> Result<Value> {
    let next = format!("kubectl config view --kubeconfig {}", path.display());
    let fault = |e: std::io::Error| {
        Error::new(format!("{} can't be read", path.display()), &next).because(&e)
    };
    let text = fs::read_to_string(path).map_err(fault)?;
    let mut values = yaml::read_values(&text).map_err(|error| Error {
        next: next.clone(),
        ..error
    })?;
    Ok(if values.is_empty() {
        Value::Null
    } else {
        values.remove(0)
    })
}

/// How old a lock is that nobody holds any more.
const LEFT: Duration = Duration::from_secs(60);

/// `config.lock` beside the file, made exclusively: client-go's protocol
/// (k8s.io/client-go/tools/clientcmd/config.go, lockFile).
struct Lock(PathBuf);

impl Lock {
    fn take(path: &Path) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let start = Instant::now();
        loop {
            match OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(_) => return Ok(Lock(lock)),
                Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                    let what = format!("{} can't be changed", path.display());
                    let next = format!("ls -ld {}", lock.parent().unwrap_or(path).display());
                    return Err(Error::new(what, next).because(&e));
                }
                Err(_) if is_left(&lock) && fs::remove_file(&lock).is_ok() => {}
                Err(e) if start.elapsed() > Duration::from_secs(5) => {
                    let what = format!("{} is locked by another program", path.display());
                    return Err(Error::new(what, format!("rm {}", lock.display())).because(&e));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// Whether whoever took a lock was killed: nobody holds one for longer than a file takes to be written.
fn is_left(lock: &Path) -> bool {
    let taken = fs::metadata(lock).and_then(|lock| lock.modified());
    taken.is_ok_and(|taken| taken.elapsed().is_ok_and(|age| age > LEFT))
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Value {
        json!({
            "current-context": "kind-gatewright",
            "clusters": [{"name": "kind-gatewright", "cluster": {"server": "https://127.0.0.1:1"}}],
            "contexts": [{"name": "kind-gatewright", "context": {"cluster": "kind-gatewright", "user": "kind-gatewright"}}],
            "users": [{"name": "kind-gatewright", "user": {}}],
        })
    }

    #[test]
    fn the_users_current_context_and_everything_else_stay() {
        let mine = json!({"current-context": "prod", "clusters": [{"name": "prod"}], "preferences": {"x": 1}});
        let mut config = mine.clone();
        assert!(merge(&mut config, &own()));
        assert_eq!(config["current-context"], "prod");
        assert_eq!(config["clusters"].as_array().unwrap().len(), 2);
        config["contexts"][0]["context"]["namespace"] = json!("demo");
        assert!(
            !merge(&mut config, &own()),
            "a second time changes nothing, nor what was added"
        );
        assert!(without(&mut config, "kind-gatewright"));
        assert_eq!(config["clusters"], mine["clusters"]);
        assert_eq!(config["preferences"], mine["preferences"]);
    }

    #[test]
    fn an_empty_kubeconfig_gains_a_context_but_no_current_one() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("own"), folder.path().join("deep/config"));
        fs::write(&a, yaml::write(&own())).unwrap();
        add(&a, &b, || Ok(())).unwrap();
        let config = read(&b).unwrap();
        assert_eq!(config.get("current-context"), None);
        assert_eq!(config["contexts"][0]["name"], "kind-gatewright");
        let mut another = own();
        another["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:2");
        let c = folder.path().join("another");
        fs::write(&c, yaml::write(&another)).unwrap();
        assert!(!remove("kind-gatewright", &a, &c).unwrap());
        assert_eq!(read(&c).unwrap(), another);
        assert!(remove("kind-gatewright", &a, &b).unwrap());
        assert!(!remove("kind-gatewright", &a, &b).unwrap());
        let gone = folder.path().join("gone");
        assert!(remove("kind-gatewright", &gone, &c).unwrap());
    }
}
