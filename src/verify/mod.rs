//! Asks whether what we claim is so, by sending real traffic.

pub mod answer;
pub mod behind;
pub mod blot;
pub mod budget;
pub mod case;
pub mod check;
pub mod choose;
pub mod credential;
pub mod derive;
pub mod drift;
pub mod evidence;
pub mod form;
pub mod gateway;
pub mod installed;
pub mod judge;
pub mod limit;
pub mod own;
pub mod probe;
pub mod reach;
pub mod refused;
pub mod runner;
pub mod sight;
pub mod stream;
pub mod tls;
pub mod tool;
pub mod tools;
