//! ct2rgb: a CT slice in grey, as contours of fat and bone, and in the colours of a real cryosection.
//!
//! Arrows mean "may use", also over several steps; nothing points back, and siblings do not see each other:
//!
//! ```text
//! main ─▶ { ui, cli } ─▶ engine ─▶ training ─▶ model ─▶ preprocess ─▶ volume ─▶ units
//!                                     └──────▶ io ──────────────────▶ volume
//! ```

pub mod cli;
pub mod engine;
pub mod io;
pub mod model;
pub mod preprocess;
pub mod training;
#[cfg(feature = "gui")]
pub mod ui;
pub mod units;
pub mod volume;
