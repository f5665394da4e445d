//! The running gateway: objects in, configuration and open ports out. A change is tried on a copy first, so that one that fails leaves all as it was.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::bind::Bind;
use super::change::{Change, put};
use super::compile::{Compiled, compile, tls_settings};
use super::config::Config;
use super::log::Log;
use super::look::look;
use super::memory::Memory;
use super::object::{Id, World, redacted};
use super::plane::Plane;
use super::resolver::Resolver;
use super::transport::Transport;
use crate::plan::view::{Address, Sight};

/// Which ports are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// Those that the listeners name.
    Named,
    /// Free ones instead; `Gateway::address` tells which.
    Free,
    /// This one instead of the only one that they name.
    Only(u16),
}

/// How a gateway is set up.
pub struct Options {
    pub ports: Ports,
    /// Who reaches it: this machine alone (architecture, decision 6) unless somebody asked for more.
    pub address: Ipv4Addr,
    /// Whether a port that can be opened is another program's all the same.
    pub shadows: fn(u16) -> bool,
    /// Where access log lines go.
    pub log: Box<dyn Write + Send>,
    /// Addresses of names that are not to be looked up.
    pub resolve: HashMap<String, SocketAddr>,
    /// Roots to trust instead of the system's.
    pub roots: Option<RootCertStore>,
    /// The time that tokens are judged by, instead of the clock's.
    pub now: Option<SystemTime>,
    /// Where the names of its objects are kept: it opens when those that were there are back.
    pub memory: Option<PathBuf>,
}

impl Options {
    pub fn new(log: Box<dyn Write + Send>) -> Options {
        Options {
            ports: Ports::Named,
            address: Ipv4Addr::LOCALHOST,
            shadows: |_| false,
            log,
            resolve: HashMap::new(),
            roots: None,
            now: None,
            memory: None,
        }
    }
}

/// Why an object was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The object itself is at fault.
    Invalid(String),
    /// A port that it asks for can't be opened; `why` names the address and the reason. `taken` is the
    /// port where another process has it, none where the objects are at odds among themselves.
    Port { taken: Option<u16>, why: String },
}

/// A listener that is open, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerAt {
    /// `namespace/name`.
    pub gateway: String,
    pub name: String,
    /// Empty takes every host.
    pub hostname: String,
    /// The port that it names.
    pub port: u16,
    pub address: SocketAddr,
    pub is_tls: bool,
}

/// An embedded gateway.
pub struct Gateway {
    plane: Arc<Plane>,
    ports: Ports,
    address: Ipv4Addr,
    shadows: fn(u16) -> bool,
    state: Mutex<State>,
    writer: std::sync::Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    world: World,
    status: BTreeMap<Id, Value>,
    binds: BTreeMap<u16, Bind>,
    memory: Memory,
    is_stopping: bool,
    /// Ports that are closed and still have running answers.
    closing: Vec<tokio::task::JoinHandle<()>>,
}

impl Gateway {
    /// A gateway without objects.
    pub fn start(options: Options) -> io::Result<Gateway> {
        let (log, writer) = Log::start(options.log)?;
        let transport = Transport::new(Resolver::new(options.resolve), options.roots);
        Ok(Gateway {
            plane: Arc::new(Plane::new(transport, log, options.now)),
            ports: options.ports,
            address: options.address,
            shadows: options.shadows,
            state: Mutex::new(State {
                memory: Memory::of(options.memory),
                ..State::default()
            }),
            writer: std::sync::Mutex::new(Some(writer)),
        })
    }

    /// Creates or replaces an object; returns what that did and the object with its status.
    pub async fn apply(&self, object: Value) -> Result<(Change, Value), Rejection> {
        let id = Id::of(&object).map_err(Rejection::Invalid)?;
        let mut state = self.state.lock().await;
        let mut world = state.world.clone();
        let change = put(&mut world, &id, object);
        if change != Change::Unchanged {
            self.turn_into(&mut state, world).await?;
        }
        Ok((change, state.shown(&id)))
    }

    /// Removes an object; false when there was none.
    pub async fn delete(&self, id: &Id) -> Result<bool, Rejection> {
        let mut state = self.state.lock().await;
        let was_awaited = state.memory.forget(id);
        let mut world = state.world.clone();
        let is_removed = world.remove(id);
        if is_removed || was_awaited {
            let turned = self.turn_into(&mut state, world).await;
            if turned.is_err() && was_awaited {
                state.memory.expect(id);
            }
            turned?;
        }
        Ok(is_removed)
    }

    /// Makes these objects the current ones, and no others. When one can't be taken, all stays as it was.
    pub async fn replace(&self, objects: Vec<Value>) -> Result<(), Rejection> {
        let mut state = self.state.lock().await;
        let mut world = state.world.clone();
        let mut kept = BTreeSet::new();
        for object in objects {
            let id = Id::of(&object).map_err(Rejection::Invalid)?;
            put(&mut world, &id, object);
            kept.insert(id);
        }
        world.retain(&kept);
        self.turn_into(&mut state, world).await
    }

    /// Every object with its status, keys redacted.
    pub async fn objects(&self) -> Vec<Value> {
        let state = self.state.lock().await;
        state.world.shown(&state.status)
    }

    /// Whether it has objects to serve, and goes on serving them.
    pub async fn is_ready(&self) -> bool {
        let state = self.state.lock().await;
        let is_open = !state.is_stopping && state.memory.awaited() == 0;
        is_open && state.world.iter().next().is_some()
    }

    /// How many objects must come back before its ports are opened.
    pub async fn awaited(&self) -> usize {
        self.state.lock().await.memory.awaited()
    }

    /// The longest time that running answers are given when it stops.
    pub fn drain(&self) -> Duration {
        let config = self.plane.config();
        let ports = config.listeners.keys();
        ports
            .map(|port| config.drain(*port))
            .max()
            .unwrap_or_default()
    }

    /// Its counts in Prometheus' text format.
    pub fn metrics(&self) -> String {
        self.plane.metrics().text()
    }

    /// What it sees of an address that speaks TLS.
    pub async fn look(&self, address: &Address) -> Sight {
        let world = self.state.lock().await.world.clone();
        match tls_settings(&world, &address.namespace, &address.settings) {
            Err(why) => Sight::Unseen(why),
            Ok(tls) => look(address, &tls.unwrap_or_default(), self.plane.transport()).await,
        }
    }

    /// Every address that is being listened on.
    pub async fn addresses(&self) -> Vec<SocketAddr> {
        let state = self.state.lock().await;
        state.binds.values().map(|bind| bind.address).collect()
    }

    /// Every listener that is open, by port.
    pub async fn listeners(&self) -> Vec<ListenerAt> {
        let state = self.state.lock().await;
        let config = self.plane.config();
        let mut open = Vec::new();
        for (port, listeners) in &config.listeners {
            let Some(bind) = state.binds.get(port) else {
                continue;
            };
            open.extend(listeners.iter().map(|listener| ListenerAt {
                gateway: listener.gateway.to_string(),
                name: listener.name.to_string(),
                hostname: listener.hostname.clone(),
                port: *port,
                address: bind.address,
                is_tls: listener.certificate.is_some(),
            }));
        }
        open
    }

    /// The address that stands for a listener's port.
    pub async fn address(&self, port: u16) -> Option<SocketAddr> {
        let state = self.state.lock().await;
        state.binds.get(&port).map(|bind| bind.address)
    }

    /// Closes every port, once the time that it is to go on at least is over; lets running answers end
    /// for a while, and writes the log out.
    pub async fn stop(&self) {
        let config = self.plane.config();
        self.state.lock().await.is_stopping = true;
        let linger = config.linger();
        tokio::time::sleep(linger).await;
        let closing = {
            let mut state = self.state.lock().await;
            for (port, bind) in std::mem::take(&mut state.binds) {
                let left = config.drain(port).saturating_sub(linger);
                state.closing.push(bind.close(left).await);
            }
            std::mem::take(&mut state.closing)
        };
        for task in closing {
            // A task that panicked has ended too.
            let _ = task.await;
        }
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            let log = self.plane.log();
            let finish = tokio::task::spawn_blocking(move || {
                log.end();
                writer.join()
            });
            // A log that could not be written out is no reason not to stop.
            let _ = finish.await;
        }
    }

    /// Makes a world the current one: opens what it needs, then swaps, then closes what it does not.
    async fn turn_into(&self, state: &mut State, world: World) -> Result<(), Rejection> {
        let Compiled { config, status } = compile(&world);
        if state.memory.lacks(&world) {
            state.memory.meet(&world);
            (state.world, state.status) = (world, status);
            return Ok(());
        }
        let mut wanted = Vec::new();
        if let (Ports::Only(port), [_, _, ..]) = (self.ports, &ports_of(&config)[..]) {
            let named = ports_of(&config).join(", ");
            let why = format!(
                "{}:{port}: one port for listeners on several: {named}",
                self.address
            );
            return Err(Rejection::Port { taken: None, why });
        }
        for (port, listeners) in &config.listeners {
            let owners: BTreeSet<&str> = listeners
                .iter()
                .map(|listener| &*listener.gateway)
                .collect();
            if let [first, second, ..] = owners.into_iter().collect::<Vec<_>>()[..] {
                let why = format!(
                    "{}:{port}: asked for by both Gateway {first} and Gateway {second}",
                    self.address
                );
                return Err(Rejection::Port { taken: None, why });
            }
            if !state.binds.contains_key(port) {
                wanted.push(*port);
            }
        }
        let gone: Vec<u16> = state
            .binds
            .keys()
            .filter(|port| !config.listeners.contains_key(port))
            .copied()
            .collect();
        let before = self.plane.config();
        // The one port is opened anew: nobody else can be given it while it is held.
        let (first, later) = match self.ports {
            Ports::Only(_) => (gone, Vec::new()),
            Ports::Named | Ports::Free => (Vec::new(), gone),
        };
        state.close(&first, &before).await;
        let mut opened = Vec::new();
        for port in wanted {
            opened.push((port, self.open(port).await?));
        }
        // The first request through a new port must meet the objects that opened it.
        self.plane.replace(config);
        for (port, taken) in opened {
            let bind = Bind::serve(self.plane.clone(), port, taken);
            state.binds.insert(port, bind);
        }
        state.close(&later, &before).await;
        // Not before: what is refused for its port has not come back, and nothing opens without it.
        state.memory.meet(&world);
        state.memory.keep(&world);
        (state.world, state.status) = (world, status);
        Ok(())
    }

    /// Takes a port. Who connects waits until it is served.
    async fn open(&self, port: u16) -> Result<(SocketAddr, TcpListener), Rejection> {
        let taken = match self.ports {
            Ports::Named => port,
            Ports::Free => 0,
            Ports::Only(only) => only,
        };
        let address = SocketAddr::from((self.address, taken));
        let bound = async {
            if (self.shadows)(taken) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let listener = TcpListener::bind(address).await?;
            Ok((listener.local_addr()?, listener))
        };
        bound.await.map_err(|error: io::Error| Rejection::Port {
            taken: Some(taken),
            why: format!("{address}: {error}"),
        })
    }
}

fn ports_of(config: &Config) -> Vec<String> {
    config.listeners.keys().map(ToString::to_string).collect()
}

impl State {
    /// Closes ports; their running answers end as the objects say that opened them.
    async fn close(&mut self, ports: &[u16], config: &Config) {
        self.closing.retain(|task| !task.is_finished());
        for port in ports {
            if let Some(bind) = self.binds.remove(port) {
                self.closing.push(bind.close(config.drain(*port)).await);
            }
        }
    }

    fn shown(&self, id: &Id) -> Value {
        let mut object = self.world.find(id).map_or(Value::Null, redacted);
        if let (Some(status), Some(fields)) = (self.status.get(id), object.as_object_mut()) {
            fields.insert("status".to_string(), status.clone());
        }
        object
    }
}
