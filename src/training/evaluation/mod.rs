//! Measures methods over a split of a pairs table (paper §4.1, Tables 1 and 2), and over series without ground truth (§4.3).
//!
//! ```text
//! PairSlice ─▶ Method ─▶ Scores ─▶ Measurement ─▶ Report
//! CtVolume ─▶ Colorizer, Ablation ─▶ SeriesFigures
//! ```

mod error_map;
mod measurement;
mod method;
mod report;
mod scores;
mod without_truth;

pub use error_map::{ERROR_SCALE, error_color, error_map};
pub use measurement::{Measurement, Painted, Watch, fit_hu_table, measure};
pub use method::Method;
pub use report::{Difference, MethodReport, Report, SetReport};
pub use scores::{Meter, Metric, Scores};
pub use without_truth::{ColoredSlice, SeriesFigures, SeriesWatch, measure_series};
