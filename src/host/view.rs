//! An address as it is seen from this machine, which is where the embedded gateway runs.

use super::web::{local, why};
use crate::plan::view::{Address, Sight, View};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};

/// What connects at all connects sooner.
const CONNECT: Duration = Duration::from_secs(5);
/// What answers a GET at all answers sooner.
const ANSWER: Duration = Duration::from_secs(5);

/// Its name and whether it takes connections, and what is seen `further` where it does.
pub async fn look(address: &Address, further: impl Future<Output = Sight>) -> View {
    let view = |addresses: &[SocketAddr], sight| View {
        from: "from this machine",
        addresses: addresses.iter().map(SocketAddr::ip).collect(),
        sight,
    };
    let found = tokio::time::timeout(CONNECT, lookup_host((address.host.as_str(), address.port)));
    let found: Vec<SocketAddr> = match found.await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return view(&[], Sight::NoName(error.to_string())),
        Err(_) => {
            return view(
                &[],
                Sight::NoName("no answer of its name server".to_string()),
            );
        }
    };
    let mut last = "its name has no address".to_string();
    let mut taken = false;
    for at in &found {
        match tokio::time::timeout(CONNECT, TcpStream::connect(at)).await {
            Ok(Ok(_)) => taken = true,
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = "no answer in 5 s".to_string(),
        }
        if taken {
            break;
        }
    }
    let sight = match taken {
        true => further.await,
        false => Sight::NoConnection(last),
    };
    view(&found, sight)
}

/// What a service says in plain HTTP.
pub async fn ask(address: &Address) -> Sight {
    let url = format!("http://{}{}", address.title(), address.path);
    match local().get(&url).timeout(ANSWER).send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.text().await.unwrap_or_default();
            Sight::Answered { status, body }
        }
        Err(error) if error.is_timeout() => Sight::Silent(ANSWER),
        Err(error) if error.is_connect() => Sight::NoConnection(why(&error)),
        Err(error) => Sight::Unseen(why(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn at(port: u16) -> Address {
        Address {
            host: "127.0.0.1".into(),
            port,
            path: "/".into(),
            ..Address::default()
        }
    }

    async fn plainly(at: &Address) -> View {
        look(at, ask(at)).await
    }

    #[tokio::test]
    async fn refused_silent_and_answering_are_three_different_things() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let waits = tokio::spawn(async move { plainly(&at(port)).await });
        let speaker = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let speaks = speaker.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = speaker.accept().await {
                let mut asked = [0; 1024];
                // The first connection only knocks.
                if stream.read(&mut asked).await.is_ok_and(|read| read > 0) {
                    let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
                    let _ = stream.write_all(answer).await;
                }
            }
        });
        let answered = plainly(&at(speaks)).await;
        assert_eq!(
            answered.sight,
            Sight::Answered {
                status: 404,
                body: String::new()
            }
        );
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        assert!(matches!(
            plainly(&at(free)).await.sight,
            Sight::NoConnection(_)
        ));
        assert_eq!(waits.await.unwrap().sight, Sight::Silent(ANSWER));
        // The system takes connections for a listener that accepts none.
        drop(listener);
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_no_refusal() {
        let nowhere = Address {
            host: "nowhere.invalid".into(),
            ..at(80)
        };
        assert!(matches!(plainly(&nowhere).await.sight, Sight::NoName(_)));
    }
}
