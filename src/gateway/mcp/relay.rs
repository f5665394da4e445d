//! What becomes of each message of a client: which servers get it, and how their answers come back (facts 9.8).

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;

use super::caller::Caller;
use super::failure::Failure;
use super::merge::merged;
use super::message::Message;
use super::note::Note;
use super::rules::Access;
use super::session::Session;
use super::stream::Messages;
use super::target::{Servers, Target};
use super::upstream::Upstream;

/// How long servers may take to end a session.
const ENDING: Duration = Duration::from_secs(10);

/// A client's session, and whom its messages go to.
pub(super) struct Relay<'a> {
    pub session: &'a Arc<Session>,
    pub servers: &'a Arc<Servers>,
    pub caller: &'a Caller,
    pub access: Access,
}

impl Relay<'_> {
    /// What the servers answer to a request.
    pub async fn request(
        &self,
        mut message: Message,
        note: &mut Note,
    ) -> Result<Messages, Failure> {
        let messages = match message.method() {
            "initialize" if message.is_initialize() => {
                if self.servers.only().is_none() {
                    // The ids of servers' requests would mix.
                    message.drop_capability("roots");
                }
                Box::pin(self.all(message)).await?
            }
            "ping" | "logging/setLevel" => Box::pin(self.all(message)).await?,
            "tools/list" => {
                note.kind = Some("tool");
                Box::pin(self.all(message)).await?
            }
            "prompts/list" => {
                note.kind = Some("prompt");
                Box::pin(self.all(message)).await?
            }
            "resources/list" => {
                self.not_multiplexed(&message)?;
                note.kind = Some("resource");
                Box::pin(self.all(message)).await?
            }
            "resources/templates/list" => {
                self.not_multiplexed(&message)?;
                note.kind = Some("templates");
                Box::pin(self.all(message)).await?
            }
            "tools/call" => Box::pin(self.named("tool", message, note)).await?,
            "prompts/get" => Box::pin(self.named("prompt", message, note)).await?,
            "resources/read" => Box::pin(self.read(message, note)).await?,
            "completion/complete" => match self.servers.only() {
                Some(_) => Box::pin(self.one(0, message)).await?,
                None => return Err(Failure::Method(message.method().to_string())),
            },
            // Subscriptions and tasks as well (recording policies/mcp: `capabilities` says otherwise).
            other => return Err(Failure::Method(other.to_string())),
        };
        Ok(self.held(messages))
    }

    fn not_multiplexed(&self, message: &Message) -> Result<(), Failure> {
        match self.servers.only() {
            Some(_) => Ok(()),
            None => Err(Failure::Multiplexed(message.method().to_string())),
        }
    }

    async fn named(
        &self,
        kind: &'static str,
        mut message: Message,
        note: &mut Note,
    ) -> Result<Messages, Failure> {
        let unsupported = || Failure::Method(message.method().to_string());
        let outer = message.param("name").ok_or_else(unsupported)?.to_string();
        let unnamed = || Failure::Invalid("invalid resource name".to_string());
        let (target, name) = self.servers.inner_name(&outer).ok_or_else(unnamed)?;
        note.of(kind, target, name);
        if !self.access.allows(kind, target, name) {
            return Err(Failure::Hidden(kind, outer.clone()));
        }
        let position = self.servers.position(target);
        let unknown = || Failure::Invalid(format!("unknown service {target}"));
        let position = position.ok_or_else(unknown)?;
        message.set_param("name", name.into());
        self.one(position, message).await
    }

    async fn read(&self, message: Message, note: &mut Note) -> Result<Messages, Failure> {
        let uri = message.param("uri").map(str::to_string);
        let uri = uri.ok_or_else(|| Failure::Method(message.method().to_string()))?;
        self.not_multiplexed(&message)?;
        let target = self.servers.only().map_or("", |only| &only.name);
        note.of("resource", target, &uri);
        match self.access.allows("resource", target, &uri) {
            true => self.one(0, message).await,
            false => Err(Failure::Hidden("resource", uri)),
        }
    }

    /// Sends a request to one server.
    async fn one(&self, position: usize, message: Message) -> Result<Messages, Failure> {
        let (upstream, target) = match (
            self.session.upstreams.get(position),
            self.servers.targets.get(position),
        ) {
            (Some(upstream), Some(target)) => (upstream, target),
            _ => return Err(Failure::Closed),
        };
        let messages = Box::pin(upstream.request(self.caller, target, &message)).await?;
        let method = message.method().to_string();
        Ok(messages
            .map(move |item| item.map(|message| message.shaped(&method)))
            .boxed())
    }

    /// Sends a request to every server.
    async fn all(&self, message: Message) -> Result<Messages, Failure> {
        let answers = self.each(|upstream, target| upstream.request(self.caller, target, &message));
        let answers = answers.await?;
        let (servers, access) = (self.servers.clone(), self.access.clone());
        Ok(merged(message, servers, access, answers))
    }

    /// What the servers say of their own accord.
    pub async fn listen(&self) -> Result<Messages, Failure> {
        let streams = self.each(|upstream, target| upstream.listen(self.caller, target));
        let streams = streams.await?;
        Ok(self.held(stream::select_all(streams).boxed()))
    }

    /// Passes on what asks for no answer.
    pub async fn tell(&self, message: &Message) -> Result<(), Failure> {
        let told = self.each(|upstream, target| upstream.tell(self.caller, target, message));
        told.await.map(drop)
    }

    /// Passes on a client's answer to what a server asked.
    pub async fn answer(&self, message: &Message) -> Result<(), Failure> {
        match self.servers.only() {
            Some(_) => self.tell(message).await,
            // Nothing says which of the servers asked.
            None => Err(Failure::Invalid("unsupported message type".to_string())),
        }
    }

    /// Ends the session at every server. One that is gone has ended it already, and one that does not
    /// answer is not waited for.
    pub async fn end(&self) {
        let ended = self.each(|upstream, target| async {
            let _ = upstream.end(self.caller, target).await;
            Ok(())
        });
        // None of them fails.
        let _ = tokio::time::timeout(ENDING, ended).await;
    }

    async fn each<'s, T, F>(
        &'s self,
        call: impl Fn(&'s Upstream, &'s Target) -> F,
    ) -> Result<Vec<T>, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let pairs = self.session.upstreams.iter().zip(&self.servers.targets);
        // All to their end: who is asked to end a session must know of each that was opened.
        let answers = join_all(pairs.map(|(upstream, target)| call(upstream, target))).await;
        answers.into_iter().collect()
    }

    /// A stream keeps its session: what is being answered is not at rest.
    fn held(&self, messages: Messages) -> Messages {
        let session = self.session.clone();
        messages
            .map(move |item| {
                let _ = &session;
                item
            })
            .boxed()
    }
}
