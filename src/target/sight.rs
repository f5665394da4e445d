//! What a proof and `reach` look at in a cluster, the same for every sort of it; and what the embedded
//! gateway sees.

use super::embedded::Embedded;
use super::inside::Inside;
use super::{doors, process_parts};
use crate::cluster::witness::Witness;
use crate::cluster::{log, metrics, world};
use crate::error::Result;
use crate::host::view;
use crate::plan::object::Place;
use crate::plan::outcome::Context;
use crate::plan::survey::{Survey, Trouble, object_state};
use crate::plan::view::{Address, Sight, View};
use serde_json::Value;

impl Inside {
    pub async fn objects(&self) -> Result<Vec<Value>> {
        world::objects(&self.client().await?).await
    }

    pub async fn access_log(&self, lines: usize) -> Result<Vec<String>> {
        let count = i64::try_from(lines).unwrap_or(i64::MAX);
        let back = log::Back::Lines(count);
        log::all(&self.client().await?, &self.namespace, &self.gateway, back).await
    }

    pub async fn metrics(&self) -> Result<String> {
        metrics::text(&self.client().await?, &self.namespace, &self.gateway).await
    }

    pub async fn troubles(&self) -> Result<Vec<Trouble>> {
        let mut troubles = world::troubles(&self.client().await?, &self.namespace).await?;
        for trouble in &mut troubles {
            trouble.next = trouble.next.take().map(|next| self.access.here(&next));
        }
        Ok(troubles)
    }

    /// What the proxy sees of an address, by a witness of the moment.
    pub async fn look(&self, address: &Address, base: &str, context: &Context<'_>) -> Result<View> {
        let client = self.client().await?;
        let witness = Witness {
            client: &client,
            place: Place {
                namespace: &self.namespace,
                environment: &self.environment,
            },
            gateway: &self.gateway,
            base,
        };
        Ok(View {
            from: "from the proxy's pod",
            addresses: Vec::new(),
            sight: witness.look(address, context).await?,
        })
    }
}

impl Embedded {
    /// What is seen of an address from this machine; over TLS by the gateway itself, which knows what a
    /// backend asks for.
    pub async fn seen(&self, address: &Address) -> View {
        match address.tls {
            true => view::look(address, self.securely(address)).await,
            false => view::look(address, view::ask(address)).await,
        }
    }

    /// What is there now.
    pub async fn look(&self) -> Result<Survey> {
        let Some(identity) = self.process().alive() else {
            return Ok(Survey {
                detail: "the embedded gateway does not run".to_string(),
                ..Survey::default()
            });
        };
        let (_, health) = self.admin("GET", "/healthz", None).await?;
        let (_, answer) = self.admin("GET", "/objects", None).await?;
        let objects = answer["objects"]
            .as_array()
            .into_iter()
            .flatten()
            .map(object_state)
            .collect();
        Ok(Survey {
            alive: true,
            detail: format!(
                "gw {}, pid {}",
                health["version"].as_str().unwrap_or("?"),
                identity.pid
            ),
            parts: [process_parts(&self.paths), doors(&health)].concat(),
            objects,
        })
    }

    async fn securely(&self, address: &Address) -> Sight {
        let asked = serde_json::to_value(address).unwrap_or_default();
        match self.admin("POST", "/look", Some(&asked)).await {
            Ok((_, mut answer)) => match serde_json::from_value(answer["sight"].take()) {
                Ok(sight) => sight,
                Err(_) => Sight::Unseen("the gateway is of another version".to_string()),
            },
            Err(error) => Sight::Unseen(error.what),
        }
    }
}
