//! `gw serve -f FILE...`: the objects of files, served in the foreground until a signal ends it.

use super::Outcome;
use super::service::ports;
use super::session::Session;
use crate::cli::Serve;
use crate::error::{Error, Result};
use crate::gateway::ends::Ends;
use crate::gateway::input::{Input, Stamp, Weight, load};
use crate::gateway::{
    Doors, Gateway, ListenerAt, Options, Ports, Rejection, World, compile, give_back, raise_files,
};
use crate::host::port;
use crate::report::document::Document;
use crate::report::serve;
use crate::secret::redact;
use crate::text;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// How often files are looked at: a save is seen before its writer has turned to the client.
const LOOK: Duration = Duration::from_millis(250);

pub async fn run(session: &Session, options: &Serve) -> Outcome {
    let work = Work {
        session,
        options,
        stdin: stdin(options)?,
    };
    let stamp = Stamp::of(&options.files);
    let input = work.read()?;
    work.warn(&input);
    if options.dry_run {
        let objects = checked(&input)?;
        work.answer(&input, &objects, &[], None);
        return Ok(None);
    }
    raise_files();
    let gateway = Arc::new(work.start(&input).await?);
    let doors = Doors::open(&gateway, ports(&options.doors)).await;
    let doors = doors.map_err(|e| work.broken(&e))?;
    let (objects, listeners) = (gateway.objects().await, gateway.listeners().await);
    // Whoever has seen the answer may ask for the end.
    let ends = Ends::new();
    let mut ends =
        ends.map_err(|e| Error::new("signals can't be awaited", "gw serve --help").because(&e))?;
    work.answer(&input, &objects, &listeners, Some(&doors.urls()));
    // The gateway has its own copy, and may run for days.
    drop((input, objects));
    give_back();
    tokio::select! {
        _ = ends.next() => {}
        () = work.watch(&gateway, stamp) => {}
    }
    session.talk("ending: answers that run may end; a second signal ends them at once\n");
    tokio::select! {
        () = gateway.stop() => {}
        _ = ends.next() => {}
    }
    Ok(None)
}

struct Work<'a> {
    session: &'a Session,
    options: &'a Serve,
    /// Standard input can be read only once, and a reload needs it again.
    stdin: Vec<u8>,
}

impl Work<'_> {
    /// Everything that was given, checked as an API server and a controller would.
    fn read(&self) -> Result<Input> {
        let sources = load(&self.options.files, self.stdin.as_slice())?;
        let mut input = Input::read(sources, &self.options.namespace);
        if input.count(Weight::Refused) > 0 {
            return Err(self.refusal(&input, Weight::Refused));
        }
        let world = World::of(input.values()).map_err(|why| self.wrong(why))?;
        input.note_standing(&compile(&world).status);
        if self.options.strict && input.count(Weight::Warned) > 0 {
            return Err(self.refusal(&input, Weight::Warned));
        }
        Ok(input)
    }

    fn refusal(&self, input: &Input, weight: Weight) -> Error {
        let what = match weight {
            Weight::Refused => "an API server would refuse this",
            Weight::Warned => "there is something to warn of, and --strict refuses it",
        };
        let error = match input.profile() {
            None => self.wrong(what),
            // Asked for standard input, it would be read once more.
            Some(profile) => {
                let file = match self.options.files.contains(&profile.origin) {
                    true => text::shell(&profile.origin),
                    false => "-".to_string(),
                };
                Error::usage(what, format!("gw up --profile {file}"))
            }
        };
        let lines = input.lines(weight).into_iter();
        lines.fold(error, Error::fact)
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        // A check that failed would only fail again.
        let file = self.options.files.iter().find(|file| *file != "-");
        let next = match file.filter(|_| self.options.dry_run) {
            Some(file) => format!("${{EDITOR:-vi}} {}", text::shell(file)),
            None => self.again("--dry-run"),
        };
        Error::usage(what, next)
    }

    /// The command as it was typed, with one flag more.
    fn again(&self, flag: &str) -> String {
        let mut words = vec!["gw serve".to_string()];
        for file in &self.options.files {
            words.push(format!("-f {}", text::shell(file)));
        }
        if self.options.namespace != "default" {
            words.push(format!("-n {}", self.options.namespace));
        }
        if self.options.address != Ipv4Addr::LOCALHOST {
            words.push(format!("--address {}", self.options.address));
        }
        if self.options.strict {
            words.push("--strict".to_string());
        }
        if self.options.no_watch {
            words.push("--no-watch".to_string());
        }
        words.push(flag.to_string());
        words.join(" ").trim_end().to_string()
    }

    fn warn(&self, input: &Input) {
        let lines = input.lines(Weight::Warned);
        if !lines.is_empty() && !self.session.global.quiet {
            self.session
                .talk(&serve::warnings(&lines, self.session.err));
        }
    }

    async fn start(&self, input: &Input) -> Result<Gateway> {
        let log: Box<dyn Write + Send> = match self.session.global.quiet {
            true => Box::new(std::io::sink()),
            false => Box::new(std::io::stderr()),
        };
        let mut options = Options::new(log);
        options.address = self.options.address;
        options.shadows = port::would_shadow;
        if let Some(port) = self.options.port {
            options.ports = Ports::Only(port);
        }
        let gateway = Gateway::start(options).map_err(|e| self.broken(&e))?;
        let replaced = gateway.replace(input.values()).await;
        replaced.map_err(|rejection| self.rejected(rejection))?;
        Ok(gateway)
    }

    fn broken(&self, error: &std::io::Error) -> Error {
        Error::new("the gateway can't start", self.again("--dry-run")).because(error)
    }

    fn rejected(&self, rejection: Rejection) -> Error {
        match rejection {
            Rejection::Invalid(why) => self.wrong(why),
            Rejection::Port { taken, why } => {
                let free = taken.and_then(port::next_free);
                let next = match (free, self.options.port) {
                    (Some(free), _) => self.again(&format!("--port {free}")),
                    // What one port can't have, each can on its own.
                    (None, Some(_)) if taken.is_none() => self.again(""),
                    (None, _) => self.again("--dry-run"),
                };
                Error::new("a port can't be opened", next).fact(why)
            }
        }
    }

    fn answer(
        &self,
        input: &Input,
        objects: &[Value],
        listeners: &[ListenerAt],
        urls: Option<&Value>,
    ) {
        let session = self.session;
        if session.is_json() {
            let document = Document::new("serve", &session.global.env)
                .set("listeners", serve::listeners(listeners))
                .set("urls", urls.cloned().unwrap_or(Value::Null))
                .set("warnings", serve::told(input))
                .set(
                    "objects",
                    objects.iter().map(redact::object).collect::<Vec<_>>(),
                );
            return session.write(&document.text());
        }
        session.write(&serve::screen(objects, listeners, session.out));
        if let Some(urls) = urls.filter(|_| !session.global.quiet) {
            session.talk(&serve::doors(urls));
        }
    }

    /// Takes every new version of the files; a bad one is told, and the old one goes on.
    async fn watch(&self, gateway: &Gateway, mut served: Stamp) {
        let mut last = served.clone();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = Stamp::of(&self.options.files);
            // A file is read when it has been left alone for a moment.
            let is_new = now != served && now == last && !self.options.no_watch;
            last = now.clone();
            if is_new {
                served = now;
                self.reload(gateway).await;
            }
        }
    }

    async fn reload(&self, gateway: &Gateway) {
        let taken = match self.read() {
            Ok(input) => match gateway.replace(input.values()).await {
                Ok(()) => Ok(input),
                Err(rejection) => Err(self.rejected(rejection)),
            },
            Err(error) => Err(error),
        };
        match taken {
            Ok(input) => {
                self.warn(&input);
                let objects = gateway.objects().await;
                self.session
                    .talk(&serve::reloaded(&objects, self.session.err));
            }
            Err(error) => self.session.talk(&serve::kept(&error, self.session.err)),
        }
    }
}

fn stdin(options: &Serve) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if options.files.iter().any(|file| file == "-") {
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|e| {
            Error::usage("standard input can't be read", "gw serve --help").because(&e)
        })?;
    }
    Ok(bytes)
}

/// The objects as a gateway would show them, without one that listens.
fn checked(input: &Input) -> Result<Vec<Value>> {
    let fault = |why: String| Error::usage(why, "gw serve --help");
    let world = World::of(input.values()).map_err(fault)?;
    Ok(world.shown(&compile(&world).status))
}
