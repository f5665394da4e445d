//! Every path we read or write outside a cluster, computed once (XDG base directories).

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

/// Longest path of a Unix socket that Linux and macOS both take, with its closing zero: 104 bytes.
const SOCKET_PATH_LIMIT: usize = 100;

#[derive(Debug, Clone)]
pub struct Paths {
    state: PathBuf,
    cache: PathBuf,
    runtime: PathBuf,
}

impl Paths {
    /// From XDG_STATE_HOME, XDG_CACHE_HOME and XDG_RUNTIME_DIR or their defaults.
    pub fn from_env() -> Self {
        let home = env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
        let absolute = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state"));
        let runtime = absolute("XDG_RUNTIME_DIR").unwrap_or_else(env::temp_dir);
        let cache = absolute("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
        Paths {
            state: state.join("gatewright"),
            cache: cache.join("gatewright"),
            runtime,
        }
    }

    /// What can be fetched again.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where programs of this user meet: sockets with long names, claims of ports.
    pub fn runtime(&self) -> &Path {
        &self.runtime
    }

    /// The folder of all environments.
    pub fn environments(&self) -> PathBuf {
        self.state.join("environments")
    }

    /// Held by the environment that works on the cluster of this context. A context's name may have
    /// any characters.
    pub fn cluster_lock(&self, context: &str) -> PathBuf {
        let plain = |c: char| match c.is_ascii_alphanumeric() || c == '-' {
            true => c,
            false => '_',
        };
        let name: String = context.chars().map(plain).collect();
        self.state.join("clusters").join(format!("{name}.lock"))
    }

    pub fn environment(&self, name: &str) -> EnvironmentPaths {
        EnvironmentPaths {
            folder: self.environments().join(name),
            runtime: self.runtime.clone(),
        }
    }
}

/// The files of one environment.
#[derive(Debug, Clone)]
pub struct EnvironmentPaths {
    folder: PathBuf,
    runtime: PathBuf,
}

impl EnvironmentPaths {
    /// Written by every command that looks or changes; removed by `down`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is applied: written by `up`, read by all.
    pub fn record(&self) -> PathBuf {
        self.folder.join("environment.json")
    }

    /// What we made, line by line: written before and after each change, read by `down`.
    pub fn ledger(&self) -> PathBuf {
        self.folder.join("ledger.jsonl")
    }

    /// Held by the command that changes something.
    pub fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// The last proof: written by `up` and `test`, read by `status`.
    pub fn proof(&self) -> PathBuf {
        self.folder.join("proof.json")
    }

    /// What the last `up` applied, keys left out: written by `up`, read by `debug`.
    pub fn applied(&self) -> PathBuf {
        self.folder.join("applied.json")
    }

    /// What `debug --fix` changed, and what was there before: read by `undo`.
    pub fn undo(&self) -> PathBuf {
        self.folder.join("undo.json")
    }

    /// Our own kubeconfig, so that nothing depends on the user's current context.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A profile that came by standard input: kept so that `up` can be run again.
    pub fn profile(&self) -> PathBuf {
        self.folder.join("profile.yaml")
    }

    /// What `gw backend --apply` and `gw route --apply` laid over the profile.
    pub fn added(&self) -> PathBuf {
        self.folder.join("added.yaml")
    }

    /// Id of the cluster that we created: written when it is there, absent until then.
    pub fn cluster_id(&self) -> PathBuf {
        self.folder.join("cluster.id")
    }

    /// Identity of a background process: written when it is started.
    pub fn process(&self, role: &str) -> PathBuf {
        self.folder.join(format!("{role}.process.json"))
    }

    /// What a background process was told when it was started, as a digest.
    pub fn told(&self, role: &str) -> PathBuf {
        self.folder.join(format!("{role}.told"))
    }

    /// A key that we made for callers; names have no `/` in them.
    pub fn made_key(&self, policy: &str, name: &str) -> PathBuf {
        self.folder.join("keys").join(format!("{policy}.{name}"))
    }

    /// What a background process writes.
    pub fn log(&self, role: &str) -> PathBuf {
        self.folder.join(format!("{role}.log"))
    }

    /// The embedded gateway's private channel. A deep state folder makes a path that sockets can't
    /// have; then it lies in the runtime folder under a name made from the state folder.
    pub fn socket(&self) -> PathBuf {
        let near = self.folder.join("gateway.sock");
        if near.as_os_str().len() <= SOCKET_PATH_LIMIT {
            return near;
        }
        let mut hash = DefaultHasher::new();
        self.folder.hash(&mut hash);
        self.runtime
            .join(format!("gatewright-{:016x}.sock", hash.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_is_never_longer_than_sockets_allow() {
        let deep = EnvironmentPaths {
            folder: PathBuf::from(format!("/{}", "x".repeat(200))),
            runtime: PathBuf::from("/run/user/1000"),
        };
        assert!(deep.socket().as_os_str().len() <= SOCKET_PATH_LIMIT);
        let near = Paths {
            state: "/s".into(),
            cache: "/c".into(),
            runtime: "/r".into(),
        };
        assert_eq!(
            near.environment("default").socket(),
            Path::new("/s/environments/default/gateway.sock")
        );
    }
}
