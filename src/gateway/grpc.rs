//! Calls over gRPC that policies make: HTTP/2 to what the person named, with the same pools, names
//! and TLS as any upstream.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::BodyExt;
use tonic::body::Body;
use tower_service::Service;

use super::body::AnyBody;
use super::config::{Auth, Callee};
use super::plane::Plane;

/// A way to one destination.
#[derive(Clone)]
pub(super) struct Channel {
    plane: Arc<Plane>,
    callee: Arc<Callee>,
}

impl Channel {
    pub fn to(plane: &Arc<Plane>, callee: &Arc<Callee>) -> Channel {
        Channel {
            plane: Arc::clone(plane),
            callee: Arc::clone(callee),
        }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<AnyBody>;
    type Error = io::Error;
    type Future = BoxFuture<'static, Result<Response<AnyBody>, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Channel { plane, callee } = self.clone();
        Box::pin(async move {
            let origin = callee.origin.as_ref();
            let origin = origin.ok_or_else(|| io::Error::other("nothing that can be called"))?;
            if let Some(Auth::Bearer(value)) = &callee.auth {
                request.headers_mut().insert(AUTHORIZATION, value.clone());
            }
            let request =
                request.map(|body| AnyBody::Made(body.map_err(Into::into).boxed_unsync()));
            let answer = plane.transport().send(origin, request).await;
            answer.map_err(|refusal| io::Error::other(refusal.body))
        })
    }
}
