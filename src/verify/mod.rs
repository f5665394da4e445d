//! Asks whether what we claim is so, by sending real traffic.

pub mod answer;
pub mod check;
pub mod credential;
pub mod gateway;
pub mod own;
pub mod route;
pub mod runner;
pub mod tools;
