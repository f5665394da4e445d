//! One conversation with a processor: a stream of messages each way, for one request and its answer.

use std::sync::Arc;

use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HeaderMutation, ImmediateResponse, ProcessingRequest,
};
use futures::stream;
use http::{StatusCode, header};
use hyper::body::Body;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Failure;
use super::body::{Ends, Passed, Piece, Side, piece};
use super::head::{change, of_answer, of_request};
use crate::gateway::body::AnyBody;
use crate::gateway::config::Callee;
use crate::gateway::envoy::Head;
use crate::gateway::exchange::{Exchange, Reply, ReplyBody};
use crate::gateway::grpc::Channel;
use crate::gateway::plane::Plane;
use crate::gateway::refusal::Refusal;

/// Messages that wait on the way to a processor, and on the way back.
const WAITING: usize = 10;

/// What a processor said, about a request or about its answer.
pub(super) enum Said {
    Head(Option<CommonResponse>),
    Body(Option<CommonResponse>),
    Trailers(Option<HeaderMutation>),
    Immediate(Box<ImmediateResponse>),
    /// The stream broke off.
    Broken,
}

/// A task that ends when nobody needs it any more.
pub(super) struct Helper(JoinHandle<()>);

impl Helper {
    pub fn start(work: impl Future<Output = ()> + Send + 'static) -> Helper {
        Helper(tokio::spawn(work))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(in crate::gateway) struct Talk {
    sender: mpsc::Sender<ProcessingRequest>,
    about_request: Option<mpsc::Receiver<Said>>,
    about_answer: Option<mpsc::Receiver<Said>>,
    /// For a body that breaks off, of the request and of the answer.
    alarms: [mpsc::WeakSender<Said>; 2],
    reader: Arc<Helper>,
}

impl Talk {
    /// Begins a stream. One that can't be begun shows when the first answer is waited for.
    pub(super) fn open(plane: &Arc<Plane>, callee: &Arc<Callee>) -> Talk {
        let (sender, outgoing) = mpsc::channel(WAITING);
        let (to_request, about_request) = mpsc::channel(WAITING);
        let (to_answer, about_answer) = mpsc::channel(WAITING);
        let alarms = [to_request.downgrade(), to_answer.downgrade()];
        let client = ExternalProcessorClient::new(Channel::to(plane, callee));
        let reader = Helper::start(listen(client, outgoing, to_request, to_answer));
        Talk {
            sender,
            about_request: Some(about_request),
            about_answer: Some(about_answer),
            alarms,
            reader: Arc::new(reader),
        }
    }

    /// Shows the request; an answer that the processor gives instead is returned.
    pub(super) async fn request(
        &mut self,
        exchange: &mut Exchange<'_>,
    ) -> Result<Option<Reply>, Refusal> {
        let ends = exchange.body.is_end_stream();
        self.say(Request::RequestHeaders(of_request(exchange, ends)))
            .await?;
        let said = self.about_request.take().ok_or(Failure::Dropped)?;
        let body = std::mem::replace(&mut exchange.body, AnyBody::whole(Bytes::new()));
        let mut passed = self.pass(Side::Request, body, said);
        match passed.head(exchange).await? {
            Some(immediate) => Ok(Some(answered(&immediate))),
            None => {
                exchange.parts.headers.remove(header::CONTENT_LENGTH);
                exchange.body = passed.into_body();
                Ok(None)
            }
        }
    }

    /// Shows the answer of an upstream. A processor that answered while the request's body was
    /// still on its way has the last word, whatever came of the call.
    pub(in crate::gateway) async fn answer(
        mut self,
        result: Result<Reply, Refusal>,
    ) -> Result<Reply, Refusal> {
        let reply = match result {
            Ok(reply) => reply,
            Err(refusal) => {
                let said = self
                    .about_answer
                    .as_mut()
                    .and_then(|said| said.try_recv().ok());
                return match said {
                    Some(Said::Immediate(immediate)) => Ok(answered(&immediate)),
                    _ => Err(refusal),
                };
            }
        };
        let Reply { mut parts, body } = reply;
        let (body, meter) = match body {
            ReplyBody::Whole(bytes) => (AnyBody::whole(bytes), None),
            ReplyBody::Passing(body, meter) => (body, meter),
            // What is no longer HTTP has nothing that could be shown.
            body @ ReplyBody::Upgraded(_) => return Ok(Reply { parts, body }),
        };
        let ends = body.is_end_stream();
        self.say(Request::ResponseHeaders(of_answer(&parts, ends)))
            .await?;
        let said = self.about_answer.take().ok_or(Failure::Dropped)?;
        let mut passed = self.pass(Side::Answer, body, said);
        if let Some(immediate) = passed.head(&mut parts).await? {
            return Ok(answered(&immediate));
        }
        parts.headers.remove(header::CONTENT_LENGTH);
        let body = ReplyBody::Passing(passed.into_body(), meter);
        Ok(Reply { parts, body })
    }

    async fn say(&self, message: Request) -> Result<(), Failure> {
        let sent = self.sender.send(wrapped(message)).await;
        sent.map_err(|_| Failure::Send)
    }

    fn pass(&self, side: Side, body: AnyBody, said: mpsc::Receiver<Said>) -> Passed {
        let [of_request, of_answer] = &self.alarms;
        let alarm = match side {
            Side::Request => of_request,
            Side::Answer => of_answer,
        };
        let ends = Ends {
            sender: self.sender.clone(),
            said,
            alarm: alarm.clone(),
            reader: self.reader.clone(),
        };
        Passed::new(side, body, ends)
    }
}

impl Passed {
    /// Waits for what the processor says of the head, and makes its changes; returns what it
    /// answers instead.
    async fn head(&mut self, head: &mut impl Head) -> Result<Option<ImmediateResponse>, Failure> {
        loop {
            match self.said.recv().await {
                None | Some(Said::Broken) => return Err(Failure::Dropped),
                Some(Said::Immediate(immediate)) => return Ok(Some(*immediate)),
                Some(Said::Trailers(_)) => {}
                Some(Said::Head(common)) => {
                    change(
                        head,
                        common.as_ref().and_then(|c| c.header_mutation.as_ref()),
                    );
                    if let Some(common) = common {
                        self.early.push_back(piece(common));
                    }
                    return Ok(None);
                }
                Some(Said::Body(common)) => {
                    change(
                        head,
                        common.as_ref().and_then(|c| c.header_mutation.as_ref()),
                    );
                    self.early.push_back(common.map_or(Piece::END, piece));
                }
            }
        }
    }
}

pub(super) fn wrapped(message: Request) -> ProcessingRequest {
    ProcessingRequest {
        request: Some(message),
        ..ProcessingRequest::default()
    }
}

/// Reads what the processor says until it has no more to say.
async fn listen(
    mut client: ExternalProcessorClient<Channel>,
    mut outgoing: mpsc::Receiver<ProcessingRequest>,
    to_request: mpsc::Sender<Said>,
    to_answer: mpsc::Sender<Said>,
) {
    let messages = stream::poll_fn(move |cx| outgoing.poll_recv(cx));
    let Ok(answer) = client.process(messages).await else {
        return;
    };
    let mut messages = answer.into_inner();
    loop {
        let response = match messages.message().await {
            Ok(Some(message)) => message.response,
            Ok(None) => return,
            Err(_) => {
                // Whoever has left needs no word.
                let _ = to_answer.send(Said::Broken).await;
                let _ = to_request.send(Said::Broken).await;
                return;
            }
        };
        let _ = match response {
            Some(Response::RequestHeaders(said)) => {
                to_request.send(Said::Head(said.response)).await
            }
            Some(Response::RequestBody(said)) => to_request.send(Said::Body(said.response)).await,
            Some(Response::RequestTrailers(said)) => {
                to_request.send(Said::Trailers(said.header_mutation)).await
            }
            Some(Response::ResponseHeaders(said)) => {
                to_answer.send(Said::Head(said.response)).await
            }
            Some(Response::ResponseBody(said)) => to_answer.send(Said::Body(said.response)).await,
            Some(Response::ResponseTrailers(said)) => {
                to_answer.send(Said::Trailers(said.header_mutation)).await
            }
            // Whichever of both is waited for will see it.
            Some(Response::ImmediateResponse(said)) => {
                let said = Box::new(said);
                let _ = to_answer.send(Said::Immediate(said.clone())).await;
                to_request.send(Said::Immediate(said)).await
            }
            Some(Response::StreamedImmediateResponse(_)) | None => Ok(()),
        };
    }
}

/// An answer that the processor gives itself.
fn answered(immediate: &ImmediateResponse) -> Reply {
    let code = immediate.status.as_ref().map_or(200, |status| status.code);
    let status = u16::try_from(code).ok();
    let status = status.and_then(|code| StatusCode::from_u16(code).ok());
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status
        .filter(|status| !status.is_informational())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    change(&mut parts.headers, immediate.headers.as_ref());
    Reply {
        parts,
        body: ReplyBody::Whole(immediate.body.clone().into()),
    }
}
