//! A processor over gRPC that a test scripts: each message gets the answers that the script gives.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ImmediateResponse,
    ProcessingRequest, ProcessingResponse, StreamedBodyResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use futures::{Stream, StreamExt};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Status, Streaming};

pub type Script = fn(&Request) -> Vec<Result<Response, Status>>;

/// What came, a word for each message: `request-headers end`, `response-body "x"`.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub fn words(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Scripted {
    script: Script,
    heard: Heard,
}

#[tonic::async_trait]
impl ExternalProcessor for Scripted {
    type ProcessStream = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

    async fn process(
        &self,
        request: tonic::Request<Streaming<ProcessingRequest>>,
    ) -> Result<tonic::Response<Self::ProcessStream>, Status> {
        let (script, heard) = (self.script, self.heard.clone());
        let answers = request.into_inner().flat_map(move |message| {
            let message = message.unwrap().request.unwrap();
            heard.0.lock().unwrap().push(word(&message));
            let answer = |said: Result<Response, Status>| {
                said.map(|said| ProcessingResponse {
                    response: Some(said),
                    ..ProcessingResponse::default()
                })
            };
            futures::stream::iter(script(&message).into_iter().map(answer).collect::<Vec<_>>())
        });
        Ok(tonic::Response::new(Box::pin(answers)))
    }
}

fn word(message: &Request) -> String {
    let end = |ends: bool| if ends { " end" } else { "" };
    match message {
        Request::RequestHeaders(head) => format!("request-headers{}", end(head.end_of_stream)),
        Request::ResponseHeaders(head) => format!("response-headers{}", end(head.end_of_stream)),
        Request::RequestBody(body) => format!("request-body{}", end(body.end_of_stream)),
        Request::ResponseBody(body) => format!("response-body{}", end(body.end_of_stream)),
        Request::RequestTrailers(_) => "request-trailers".to_string(),
        Request::ResponseTrailers(_) => "response-trailers".to_string(),
    }
}

pub async fn start(script: Script) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Heard::default();
    let service = ExternalProcessorServer::new(Scripted {
        script,
        heard: heard.clone(),
    });
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, heard)
}

/// The value of a header that was sent.
pub fn header(map: &Option<HeaderMap>, name: &str) -> String {
    let headers = &map.as_ref().unwrap().headers;
    let found = headers.iter().find(|header| header.key == name);
    found.map_or(String::new(), |header| {
        String::from_utf8(header.raw_value.clone()).unwrap()
    })
}

pub fn setting(pairs: &[(&str, &str)]) -> Option<HeaderMutation> {
    let option = |(name, value): &(&str, &str)| HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_string(),
            value: String::new(),
            raw_value: value.as_bytes().to_vec(),
        }),
        ..HeaderValueOption::default()
    };
    Some(HeaderMutation {
        set_headers: pairs.iter().map(option).collect(),
        remove_headers: vec!["x-secret".to_string()],
    })
}

fn common(headers: Option<HeaderMutation>, body: Option<(Vec<u8>, bool)>) -> CommonResponse {
    let streamed = |(body, end_of_stream)| BodyMutation {
        mutation: Some(Mutation::StreamedResponse(StreamedBodyResponse {
            body,
            end_of_stream,
            ..StreamedBodyResponse::default()
        })),
    };
    CommonResponse {
        header_mutation: headers,
        body_mutation: body.map(streamed),
        ..CommonResponse::default()
    }
}

pub fn head(headers: Option<HeaderMutation>) -> HeadersResponse {
    HeadersResponse {
        response: Some(common(headers, None)),
    }
}

pub fn piece(body: Vec<u8>, end: bool) -> BodyResponse {
    BodyResponse {
        response: Some(common(None, Some((body, end)))),
    }
}

pub fn immediate(code: i32, body: &str) -> Response {
    Response::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus { code }),
        headers: setting(&[("x-why", "because")]),
        body: body.as_bytes().to_vec(),
        ..ImmediateResponse::default()
    })
}

/// The answer of a processor that changes nothing: every piece goes back as it came.
pub fn echo(message: &Request) -> Response {
    match message {
        Request::RequestHeaders(_) => Response::RequestHeaders(head(None)),
        Request::ResponseHeaders(_) => Response::ResponseHeaders(head(None)),
        Request::RequestBody(b) => Response::RequestBody(piece(b.body.clone(), b.end_of_stream)),
        Request::ResponseBody(b) => Response::ResponseBody(piece(b.body.clone(), b.end_of_stream)),
        Request::RequestTrailers(_) => Response::RequestTrailers(TrailersResponse::default()),
        Request::ResponseTrailers(_) => Response::ResponseTrailers(TrailersResponse::default()),
    }
}
