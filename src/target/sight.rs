//! What a proof and `reach` look at in a cluster: the same for every sort of it.

use super::inside::Inside;
use crate::cluster::witness::Witness;
use crate::cluster::{log, metrics, world};
use crate::error::Result;
use crate::plan::object::Place;
use crate::plan::outcome::Context;
use crate::plan::survey::Trouble;
use crate::plan::view::{Address, View};
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
