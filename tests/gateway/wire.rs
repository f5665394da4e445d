//! Connections to upstreams: kept while they last, and no request's loss when they do not.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::client::call;
use crate::world::{LOCAL, PING, SOON, start};

/// Reads one request, up to the end of a body that is JSON; `false` when the connection has ended.
async fn request(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"}") {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return false,
            count => request.extend_from_slice(&buffer[..count]),
        }
    }
    true
}

const ANSWERS: [&str; 4] = [
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
];

#[tokio::test]
async fn requests_one_after_another_share_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_gateway, address, _log) = start(listener.local_addr().unwrap(), "").await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for answer in ANSWERS.iter().cycle().take(16) {
            assert!(request(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    for path in ["/plain", "/ai/v1/chat/completions", "/plain", "/plain"] {
        for expected in [200, 200, 204, 503] {
            let answer = call(address, "POST", path, &[LOCAL], PING);
            let answer = timeout(SOON, answer).await.expect("the same connection");
            // An LLM's answer has to be one; here only the connection counts.
            assert!(path != "/plain" || answer.status == expected);
        }
    }
    upstream.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_an_upstream_has_closed_costs_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_gateway, address, _log) = start(listener.local_addr().unwrap(), "").await;
    let upstream = tokio::spawn(async move {
        for _ in 0..8 {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(request(&mut stream).await);
            stream.write_all(ANSWERS[0].as_bytes()).await.unwrap();
        }
    });
    for path in ["/plain", "/ai/v1/chat/completions"].repeat(4) {
        let answer = call(address, "POST", path, &[LOCAL], PING);
        let answer = timeout(SOON, answer)
            .await
            .expect("a connection of its own");
        assert!(path != "/plain" || answer.status == 200, "{}", answer.body);
        assert!(
            !answer.body.contains("upstream call failed"),
            "{}",
            answer.body
        );
    }
    upstream.await.unwrap();
}

#[tokio::test]
async fn an_upload_goes_on_while_nobody_reads_its_answer() {
    const LENGTH: usize = 8 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_gateway, address, _log) = start(listener.local_addr().unwrap(), "").await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /plain HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {LENGTH}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut reads, mut writes) = stream.into_split();
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            let mut count = 0;
            while count < LENGTH {
                count += match reads.read(&mut buffer).await.unwrap() {
                    0 => panic!("the upload ended early"),
                    more => more,
                };
            }
        });
        writes.write_all(&vec![b'y'; LENGTH]).await.unwrap();
        reading.await.unwrap();
    });
    let sent = client.write_all(&vec![b'x'; LENGTH]).await;
    sent.expect("everything is taken before anything is read");
    let mut answer = Vec::new();
    let read = timeout(SOON, client.read_to_end(&mut answer)).await;
    read.expect("the answer's end").unwrap();
    assert!(answer.len() > LENGTH, "{}", answer.len());
    timeout(SOON, upstream).await.unwrap().unwrap();
}
