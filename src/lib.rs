//! Gatewright: from a bare laptop to a proven AI gateway.
//!
//! A profile says what a person wants; a plan is what must exist for it, computed without touching
//! anything; a target makes the plan true; apply walks it and keeps a ledger; verify sends real
//! traffic; report tells a person or a machine. Data moves in that direction only, and modules are
//! listed in that order: each may use only those above it.

pub mod error;
pub mod event;
pub mod exec;
pub mod secret;
pub mod text;
pub mod yaml;

pub mod provider;

pub mod profile;

pub mod plan;

pub mod gateway;
pub mod host;

pub mod supply;

pub mod cluster;

pub mod target;

pub mod apply;

pub mod verify;

pub mod diagnose;

pub mod report;

pub mod cli;

pub mod commands;
