//! Calls over gRPC that policies make: HTTP/2 to what the person named, one pool of connections for all of them.

use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use tonic::body::Body;
use tower_service::Service;

use super::config::{Auth, Callee};
use super::resolver::Resolver;
use super::transport::pick;

pub(super) type GrpcClient = Client<HttpConnector<Resolver>, Body>;

/// A way to one destination; its connections are the pool's.
#[derive(Clone)]
pub(super) struct Channel {
    client: GrpcClient,
    authorization: Option<HeaderValue>,
}

impl Channel {
    /// The way to a callee and its address; none when it can't be called now.
    pub fn to(client: &GrpcClient, callee: &Callee) -> Option<(Channel, Uri)> {
        let origin = callee.origin.as_ref().filter(|o| o.tls.is_none())?;
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(pick(&origin.dial)?.clone())
            .path_and_query(PathAndQuery::from_static("/"))
            .build()
            .ok()?;
        let authorization = match &callee.auth {
            Some(Auth::Bearer(value)) => Some(value.clone()),
            _ => None,
        };
        let channel = Channel {
            client: client.clone(),
            authorization,
        };
        Some((channel, uri))
    }
}

impl Service<Request<Body>> for Channel {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        self.client.request(request)
    }
}
