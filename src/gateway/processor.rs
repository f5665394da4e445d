//! A small processor for demonstrations and tests of `traffic.extProc`: a message whose header
//! `instructions` is a JSON object gets the headers of its `addHeaders`, and loses those that
//! `removeHeaders` lists (facts 10, extproc). Bodies go back as they came.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, HttpBody,
    HttpHeaders, ProcessingRequest, ProcessingResponse, StreamedBodyResponse, TrailersResponse,
};
use futures::{Stream, StreamExt};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;
use tonic::{Status, Streaming};
use tower_service::Service;

/// A pause when no connection can be accepted.
const BREATH: Duration = Duration::from_millis(20);
const INSTRUCTIONS: &str = "instructions";

#[derive(Clone, Copy)]
struct Demo;

type Answers = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ExternalProcessor for Demo {
    type ProcessStream = Answers;

    async fn process(
        &self,
        request: tonic::Request<Streaming<ProcessingRequest>>,
    ) -> Result<tonic::Response<Answers>, Status> {
        let answers = request
            .into_inner()
            .filter_map(async |message| match message {
                Ok(message) => message.request.as_ref().map(|request| Ok(answer(request))),
                Err(error) => Some(Err(error)),
            });
        Ok(tonic::Response::new(Box::pin(answers)))
    }
}

/// Serves until `shutdown` completes.
pub async fn serve_processor(listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return,
            accepted = listener.accept() => accepted,
        };
        // A caller that is gone before it was accepted is no reason to end, nor is a full table of files.
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| async move {
            let answer = ExternalProcessorServer::new(Demo).call(request).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|never| match never {}))
        });
        let server = http2::Builder::new(TokioExecutor::new());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A gateway that hangs up is its own affair.
            let _ = connection.await;
        });
    }
}

fn answer(request: &Request) -> ProcessingResponse {
    let response = match request {
        Request::RequestHeaders(head) => Response::RequestHeaders(headers(head)),
        Request::ResponseHeaders(head) => Response::ResponseHeaders(headers(head)),
        Request::RequestBody(body) => Response::RequestBody(same(body)),
        Request::ResponseBody(body) => Response::ResponseBody(same(body)),
        Request::RequestTrailers(_) => Response::RequestTrailers(TrailersResponse::default()),
        Request::ResponseTrailers(_) => Response::ResponseTrailers(TrailersResponse::default()),
    };
    ProcessingResponse {
        response: Some(response),
        ..ProcessingResponse::default()
    }
}

fn headers(head: &HttpHeaders) -> HeadersResponse {
    let header_mutation = head.headers.as_ref().and_then(instructed);
    HeadersResponse {
        response: Some(CommonResponse {
            header_mutation,
            ..CommonResponse::default()
        }),
    }
}

/// What a message's own instructions come to; those that can't be read come to nothing.
fn instructed(headers: &HeaderMap) -> Option<HeaderMutation> {
    let header = headers.headers.iter().find(|h| h.key == INSTRUCTIONS)?;
    let text = match header.raw_value.as_slice() {
        [] => header.value.as_bytes(),
        raw => raw,
    };
    let instructions: Value = serde_json::from_slice(text).ok()?;
    let added = instructions["addHeaders"].as_object().into_iter().flatten();
    let removed = instructions["removeHeaders"]
        .as_array()
        .into_iter()
        .flatten();
    let option = |(name, value): (&String, &Value)| HeaderValueOption {
        header: Some(HeaderValue {
            key: name.clone(),
            raw_value: value.as_str().unwrap_or("").as_bytes().to_vec(),
            ..HeaderValue::default()
        }),
        ..HeaderValueOption::default()
    };
    Some(HeaderMutation {
        set_headers: added.map(option).collect(),
        remove_headers: removed
            .filter_map(|name| name.as_str().map(str::to_string))
            .collect(),
    })
}

fn same(body: &HttpBody) -> BodyResponse {
    let piece = StreamedBodyResponse {
        body: body.body.clone(),
        end_of_stream: body.end_of_stream,
        ..StreamedBodyResponse::default()
    };
    BodyResponse {
        response: Some(CommonResponse {
            body_mutation: Some(BodyMutation {
                mutation: Some(Mutation::StreamedResponse(piece)),
            }),
            ..CommonResponse::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    fn asked(instructions: &[u8]) -> Option<HeaderMutation> {
        instructed(&HeaderMap {
            headers: vec![HeaderValue {
                key: INSTRUCTIONS.to_string(),
                raw_value: instructions.to_vec(),
                ..HeaderValue::default()
            }],
        })
    }

    #[test]
    fn instructions_are_headers_to_add_and_to_remove() {
        let text = br#"{"addHeaders": {"x-a": "1", "x-b": 2}, "removeHeaders": ["x-c", 4]}"#;
        let change = asked(text).unwrap();
        let set: Vec<_> = change
            .set_headers
            .into_iter()
            .map(|o| o.header.unwrap())
            .collect();
        assert_eq!(
            (set[0].key.as_str(), set[0].raw_value.as_slice()),
            ("x-a", &b"1"[..])
        );
        assert_eq!((set[1].key.as_str(), set[1].raw_value.len()), ("x-b", 0));
        assert_eq!(change.remove_headers, ["x-c"]);
        assert_eq!(asked(b"{"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in prop::collection::vec(any::<u8>(), 0..60)) {
            asked(&text);
        }
    }
}
