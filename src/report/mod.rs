//! Tells it to a person or to a machine. Nobody below knows that these exist.

pub mod bundle;
pub mod debug;
pub mod document;
pub mod exports;
pub mod fold;
pub mod github;
pub mod guide;
pub mod human;
pub mod junit;
pub mod live;
pub mod log;
pub mod machine;
pub mod markdown;
pub mod progress;
pub mod proof;
pub mod reach;
pub mod screen;
pub mod serve;
pub mod status;
pub mod style;
