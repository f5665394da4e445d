//! The background process: a gateway behind an admin socket, until it is told to stop.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::sync::Notify;

use super::admin;
use super::doors::{DoorPorts, Doors};
use super::ends::Ends;
use super::limits::raise_files;
use super::resident::give_back;
use super::state::{Gateway, Options};
use crate::error::{Error, Result};

pub struct ServeOptions {
    /// Where the admin socket is made, with mode 0600.
    pub socket: PathBuf,
    /// Where access log lines go.
    pub log: Box<dyn Write + Send>,
    /// Ports that the doors for tools of operation try first.
    pub doors: DoorPorts,
    /// Called once, when the admin socket answers.
    pub ready: Box<dyn FnOnce() + Send>,
}

/// Where the gateway of this socket keeps the names of its objects.
pub fn memory_of(socket: &Path) -> PathBuf {
    socket.with_extension("objects")
}

/// Runs a gateway until `POST /stop`, SIGTERM or SIGINT.
pub async fn serve(options: ServeOptions) -> Result<()> {
    let ServeOptions {
        socket,
        log,
        doors,
        ready,
    } = options;
    let failed = |error: io::Error| {
        Error::new("the embedded gateway can't start", "gw status")
            .fact(format!("admin socket {}", socket.display()))
            .because(&error)
    };
    let mut ends = Ends::new().map_err(failed)?;
    raise_files();
    let mut options = Options::new(log);
    options.memory = Some(memory_of(&socket));
    let gateway = Arc::new(Gateway::start(options).map_err(failed)?);
    let listener = listen(&socket).map_err(failed)?;
    let stop = Arc::new(Notify::new());
    let doors = Doors::open(&gateway, doors).await.map_err(failed)?;
    let urls = doors.urls();
    let admin = tokio::spawn(admin::serve(listener, gateway.clone(), urls, stop.clone()));
    ready();
    give_back();
    tokio::select! {
        () = stop.notified() => {}
        _ = ends.next() => {}
    }
    // The socket goes first, so that nobody finds a gateway that is on its way out.
    let _ = fs::remove_file(&socket);
    admin.abort();
    let _ = admin.await;
    gateway.stop().await;
    Ok(())
}

/// Makes the socket so that at no moment anyone else can connect: it is born in a folder that only
/// we can enter, and moved to its place when its mode is right.
fn listen(socket: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(socket).is_ok() {
        let message = "another gateway already answers there";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
    }
    let is_foreign = |found: fs::Metadata| !found.file_type().is_socket();
    if fs::symlink_metadata(socket).is_ok_and(is_foreign) {
        let message = "something that is no socket is there";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    let folder = socket.parent().unwrap_or(Path::new(""));
    let nursery = folder.join(format!(".{}", std::process::id()));
    let born = nursery.join("s");
    // What a process of the same number may have left when it was killed.
    let sweep = || drop((fs::remove_file(&born), fs::remove_dir(&nursery)));
    sweep();
    DirBuilder::new().mode(0o700).create(&nursery)?;
    let listener = UnixListener::bind(&born).and_then(|listener| {
        fs::set_permissions(&born, Permissions::from_mode(0o600))?;
        fs::rename(&born, socket)?;
        Ok(listener)
    });
    sweep();
    listener
}
