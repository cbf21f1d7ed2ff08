//! The networks on the processor, as fast as the machine multiplies.
//!
//! ```text
//! plan ─▶ geometry ─▶ map ─▶ rows        which pixel meets which weight
//!   └───▶ product ──▶ packed             a convolution cut into tasks
//!            └──────▶ kernel ─▶ isa      the innermost loops; the only file with raw pointers
//! ```
//!
//! Maps are stored channels last with a border of zeros. A convolution is then a product of pixels with packed weights in
//! which neither is copied: a tile of the product reads its pixels where they lie, tap by tap.

pub mod adam;
pub mod chain;
mod conv;
pub mod elementwise;
mod geometry;
mod isa;
mod kernel;
pub mod lpips;
mod map;
mod map_pool;
pub mod ops;
mod packed;
mod plan;
pub mod pool;
mod product;
mod rgb;
mod rows;
pub mod train;
mod values;

pub use isa::Isa;
pub use plan::GeneratorPlan;
