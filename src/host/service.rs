//! Whether a service of this machine that backends need is there.

use super::{port, web};
use crate::plan::HostService;
use std::time::Duration;

/// Status and body of what answers at its port on 127.0.0.1, or in words why there is none. One that
/// speaks gRPC would hang up on HTTP/1.1: that it takes a connection counts as 200, and what it does is
/// proved by the routes behind it.
pub async fn ask(service: &HostService, deadline: Duration) -> Result<(u16, String), String> {
    if service.grpc {
        return port::answers(service.port)
            .await
            .map(|()| (200, String::new()));
    }
    web::get(&url(service), None, deadline).await
}

/// Where it is asked.
pub fn url(service: &HostService) -> String {
    format!("http://127.0.0.1:{}{}", service.port, service.health_path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    fn service(port: u16, grpc: bool) -> HostService {
        HostService {
            name: "s".into(),
            title: "S".into(),
            port,
            health_path: "/".into(),
            any_answer: true,
            start: String::new(),
            mock: false,
            grpc,
            demo: false,
            bridged: Vec::new(),
            whole: false,
            namespace: String::new(),
            alias: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_grpc_service_is_not_asked_in_http_1_and_one_that_has_ended_is_silent() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // A server of HTTP/2 begins with a frame of its settings (RFC 9113, section 3.4).
        let serves = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
            }
        });
        let deadline = Duration::from_secs(5);
        assert_eq!(ask(&service(port, true), deadline).await.unwrap().0, 200);
        assert!(ask(&service(port, false), deadline).await.is_err());
        serves.join().unwrap();
        assert!(ask(&service(port, true), deadline).await.is_err());
    }
}
