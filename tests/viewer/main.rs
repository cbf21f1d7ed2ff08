//! The window, driven by the names that a screen reader reads, and pictures of it. No engine: what it would tell is
//! applied to the state, and what the window asks of it is looked at.
#![cfg(feature = "gui")]

mod browsing;
mod case;
mod dialogs;
mod privacy;
mod snapshots;
mod training;
