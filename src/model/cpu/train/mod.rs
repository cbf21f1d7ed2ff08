//! A whole training step of the generator on the processor, in the kernels' own layout.
//!
//! candle's graph would convert every map to the kernels' layout and back, and keep a copy of each. Here the forward half
//! keeps what the backward half needs, the losses are computed outside on the answer, and the backward half takes their
//! gradient back to the parameters.

mod backward;
mod forward;
mod maps;
mod norm;

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};

use super::isa::Isa;
use super::kernel::CHANNEL_BLOCK;
use super::values::with_values;
use crate::model::generator::GeneratorConfig;
use crate::model::parameters::Parameters;
use crate::model::seed::RandomStream;
pub use backward::{Gradient, TakeGradient};
use maps::TrainMaps;

/// Memory of training steps, shared by the clones of a generator.
#[derive(Clone, Debug, Default)]
pub struct TrainMemory {
    spare: Arc<Mutex<Option<Box<TrainMaps>>>>,
}

/// The forward half of a step, waiting for the gradient of its answer.
#[derive(Debug)]
pub struct TrainTape {
    memory: TrainMemory,
    maps: Box<TrainMaps>,
    rgb: Tensor,
}

/// Whether the kernels can train a generator of this structure: whole blocks of channels.
pub fn can_train(config: &GeneratorConfig, ct: &Tensor) -> bool {
    let is_f32 = ct.dtype() == candle_core::DType::F32;
    config.base_channels.is_multiple_of(CHANNEL_BLOCK) && ct.device().is_cpu() && is_f32 && !ct.track_op()
}

impl TrainTape {
    /// Runs the forward half. `ct`: `[N, C, H, W]`, checked by the caller.
    pub fn forward(
        config: &GeneratorConfig,
        parameters: &Parameters,
        memory: &TrainMemory,
        ct: &Tensor,
        dropout: &mut RandomStream,
    ) -> Result<Self> {
        let (count, _, rows, columns) = ct.dims4()?;
        let size = [count, rows, columns];
        let spare = memory.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        let spare = spare.filter(|maps| maps.size == size);
        let mut maps = spare.unwrap_or_else(|| Box::new(TrainMaps::new(config, size, Isa::best())));
        let ct = forward::planes(ct)?;
        with_values(&ct, |ct| rayon::scope(|_| forward::forward(config, parameters, &mut maps, ct, dropout)))??;
        let rgb = forward::rgb_variable(&maps)?.into_inner();
        Ok(Self { memory: memory.clone(), maps, rgb })
    }

    /// The answer, `[N, 3, H, W]`: a variable that losses can be taken back to.
    pub fn rgb(&self) -> &Tensor {
        &self.rgb
    }

    /// Takes the gradient of the answer out of `gradients`, and hands over those of the parameters.
    pub fn backward(
        mut self,
        config: &GeneratorConfig,
        parameters: &Parameters,
        gradients: &mut GradStore,
        take: TakeGradient<'_>,
    ) -> Result<()> {
        let Some(gradient) = gradients.remove(&self.rgb) else {
            candle_core::bail!("generator: expected a loss that depends on the answer, got one without its gradient");
        };
        let gradient = gradient.contiguous()?;
        with_values(&gradient, |gradient| {
            // `take` stays on this thread; each convolution enters the pool by itself.
            backward::Backward { config, parameters, maps: &mut self.maps, take }.run(gradient)
        })??;
        *self.memory.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.maps);
        Ok(())
    }
}
