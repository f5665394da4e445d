//! What is to be made true, as flags.

use super::{TargetName, environment};
use clap::{Args, ValueEnum};

/// What is to be made true: shared by `up` and `plan`.
#[derive(Debug, Clone, Default, Args)]
pub struct Wish {
    /// Shipped profile, file, or - for standard input; without it the last one, else default
    #[arg(short, long, env = "GW_PROFILE", value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Where to run; without it the last target, else OrbStack, else our kind cluster, else embedded
    #[arg(short, long, env = "GW_TARGET", value_name = "TARGET")]
    pub target: Option<TargetName>,
    /// Port on this machine; without it the last one given, else the profile's
    #[arg(long, env = "GW_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Context of the kubeconfig that leads to a cluster which is there already
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Name of the kind cluster; without it the last one, else the profile's
    #[arg(long, env = "GW_CLUSTER", value_name = "NAME", value_parser = environment)]
    pub cluster: Option<String>,
    /// Image of a new kind node [default: the profile's, the pinned one of this kind]
    #[arg(long, env = "GW_NODE_IMAGE", value_name = "IMAGE")]
    pub node_image: Option<String>,
}

impl Wish {
    /// The flags as they would be typed again; a suggested command's own go before.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let target = self.target.and_then(|target| target.to_possible_value());
        let flags = [
            ("--profile", self.profile.clone()),
            ("--target", target.map(|value| value.get_name().to_string())),
            ("--context", self.context.clone()),
            ("--cluster", self.cluster.clone()),
            ("--node-image", self.node_image.clone()),
            ("--port", self.port.map(|port| port.to_string())),
        ];
        flags
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}
