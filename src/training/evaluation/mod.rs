//! Measures methods over a split of a pairs table (paper §4.1, Tables 1 and 2), and over series without ground truth (§4.3).
//!
//! ```text
//! rows ─▶ MeasuredSlice ─▶ Method ─▶ Scores ─▶ Measurement ─▶ Report
//! series ─▶ Method, Ablation ─▶ SeriesFigures
//! ```

mod measurement;
mod method;
mod report;
mod scores;
mod slice;
mod without_truth;

pub use measurement::{Measurement, Painted, Watch, fit_hu_table, measure};
pub use method::Method;
pub use report::{Difference, MethodReport, Report, SetReport};
pub use scores::{Meter, Metric, Scores};
pub use slice::MeasuredSlice;
pub use without_truth::{ChangeMeter, Saturation, SeriesFigures};
