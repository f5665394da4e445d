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

pub async fn look(address: &Address) -> View {
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
        true => ask(address).await,
        false => Sight::NoConnection(last),
    };
    view(&found, sight)
}

async fn ask(address: &Address) -> Sight {
    let scheme = if address.tls { "https" } else { "http" };
    let url = format!("{scheme}://{}{}", address.title(), address.path);
    let client = match address.tls {
        false => Ok(local().clone()),
        true => reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT)
            .build(),
    };
    let client = match client {
        Ok(client) => client,
        Err(error) => return Sight::Unseen(why(&error)),
    };
    match client.get(&url).timeout(ANSWER).send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.text().await.unwrap_or_default();
            Sight::Answered { status, body }
        }
        Err(error) if error.is_timeout() => Sight::Silent(ANSWER),
        Err(error) if address.tls && error.is_connect() => Sight::NoTls(why(&error)),
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
            tls: false,
            path: "/".into(),
        }
    }

    #[tokio::test]
    async fn refused_silent_and_answering_are_three_different_things() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let waits = tokio::spawn(async move { look(&at(port)).await });
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
        let answered = look(&at(speaks)).await;
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
            look(&at(free)).await.sight,
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
        assert!(matches!(look(&nowhere).await.sight, Sight::NoName(_)));
    }
}
