//! How fast the generator runs on this processor, beside what the processor can multiply.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::{Device, Result, Tensor};
use serde::Serialize;

use super::blocks::NormMode;
use super::cpu::adam::{AdamStep, Moments};
use super::cpu::{GeneratorPlan, Isa};
use super::generator::{Generator, GeneratorConfig};
use super::seed::Seed;

/// What to time.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct BenchRequest {
    /// Base channels, each with every size and batch.
    #[arg(long, value_delimiter = ',', default_values_t = [16, 32, 64, 128])]
    pub base_channels: Vec<usize>,
    /// Width and height of the picture: multiples of 256.
    #[arg(long, value_delimiter = ',', default_values_t = [256, 512])]
    pub sizes: Vec<usize>,
    /// Pictures at a time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    pub batches: Vec<usize>,
    /// Threads; 0 for one on each core.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Timed runs of each; the median and the least of them are given.
    #[arg(long, default_value_t = 7)]
    pub runs: usize,
}

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchRow {
    /// `generator forward` or `generator training step, L1 and Adam`.
    pub what: &'static str,
    /// Instructions in use.
    pub with: &'static str,
    /// Filters of the first layer.
    pub base_channels: usize,
    /// Width and height of the picture.
    pub size: usize,
    /// Pictures at a time.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
    /// Median of all runs.
    pub secs: f64,
    /// Least of all runs.
    pub least_secs: f64,
    /// 10⁹ multiplications and additions a second, at the median.
    pub gflop_per_sec: f64,
    /// The same of a large matrix product with the same threads, just before.
    pub peak_gflop_per_sec: f64,
    /// Share of that peak.
    pub peak_share: f64,
}

/// A run's work: multiplications and additions, and the run itself.
type Work<'a> = (f64, Box<dyn FnMut() -> Result<()> + Send + 'a>);

/// Times forward passes as the colorizer runs them; `row` gets each line as soon as it is known.
pub fn bench_generator(request: &BenchRequest, row: &mut (dyn FnMut(BenchRow) + Send)) -> Result<()> {
    bench(request, "generator forward", row, |config, shape| {
        let plan = GeneratorPlan::new(config, config.initialize(Seed(0), &Device::Cpu)?)?;
        let ct = picture(shape);
        let flop = shape[0] as f64 * GeneratorPlan::flop(&config, [shape[2], shape[3]]);
        Ok((flop, Box::new(move || plan.forward(&ct, shape).map(drop))))
    })
}

/// Times training steps of the generator alone: L1 loss and Adam.
pub fn bench_train_step(request: &BenchRequest, row: &mut (dyn FnMut(BenchRow) + Send)) -> Result<()> {
    bench(request, "generator training step, L1 and Adam", row, |config, shape| {
        let parameters = config.initialize(Seed(0), &Device::Cpu)?.to_variables()?;
        let generator = Generator::new(config, parameters)?;
        let mut moments = BTreeMap::new();
        let [count, _, rows, columns] = shape;
        let ct = Tensor::from_vec(picture(shape), &shape, &Device::Cpu)?;
        let rgb_real = Tensor::from_vec(picture([count, 3, rows, columns]), (count, 3, rows, columns), &Device::Cpu)?;
        let mut dropout = Seed(0).stream("dropout");
        let mut t = 0;
        // A gradient for the weights and one for the maps: each as much work as the forward half.
        let flop = 3.0 * count as f64 * GeneratorPlan::flop(&config, [rows, columns]);
        let step = move || {
            let pass = generator.training_pass(&ct, &mut dropout)?;
            let mut gradients = pass.rgb().sub(&rgb_real)?.abs()?.mean_all()?.backward()?;
            t += 1;
            let adam = AdamStep::new(t, 1e-4, [0.5, 0.999], 1e-8);
            pass.backward_each(&generator, &mut gradients, &mut |name, weight, gradient| {
                let moments = moments.entry(name.to_owned()).or_insert_with(|| Moments::zeros(weight.elem_count()));
                adam.apply(weight, gradient, moments)
            })
        };
        Ok((flop, Box::new(step)))
    })
}

/// `[N, C, H, W]` of noise.
fn picture(shape: [usize; 4]) -> Vec<f32> {
    Seed(1).stream("picture").normals(shape.iter().product(), 0.0, 0.5)
}

fn bench<'a>(
    request: &BenchRequest,
    what: &'static str,
    row: &mut (dyn FnMut(BenchRow) + Send),
    prepare: impl Fn(GeneratorConfig, [usize; 4]) -> Result<Work<'a>> + Sync,
) -> Result<()> {
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(request.threads).build().map_err(candle_core::Error::wrap)?;
    let threads = pool.current_num_threads();
    for &base_channels in &request.base_channels {
        for (&size, &batch) in
            request.sizes.iter().flat_map(|size| request.batches.iter().map(move |batch| (size, batch)))
        {
            let config = GeneratorConfig { input_channels: 3, base_channels, norm: NormMode::Running };
            let (peak, secs, flop) = pool.install(|| {
                let (flop, mut work) = prepare(config, [batch, config.input_channels, size, size])?;
                Ok::<_, candle_core::Error>((matrix_peak()?, timed(&mut work, request.runs)?, flop))
            })?;
            let secs_median = secs[secs.len() / 2];
            let gflop_per_sec = flop / secs_median / 1e9;
            row(BenchRow {
                what,
                with: Isa::best().name(),
                base_channels,
                size,
                batch,
                threads,
                secs: secs_median,
                least_secs: secs[0],
                gflop_per_sec,
                peak_gflop_per_sec: peak,
                peak_share: gflop_per_sec / peak,
            });
        }
    }
    Ok(())
}

/// Seconds of each run, least first, after two that are not counted.
fn timed(work: &mut (dyn FnMut() -> Result<()> + Send + '_), runs: usize) -> Result<Vec<f64>> {
    let mut secs = Vec::with_capacity(runs);
    for run in 0..runs.max(1) + 2 {
        let started = Instant::now();
        work()?;
        if run >= 2 {
            secs.push(started.elapsed().as_secs_f64());
        }
    }
    secs.sort_by(f64::total_cmp);
    Ok(secs)
}

/// 10⁹ multiplications and additions a second of a product of two 2048×2048 matrices, best of five, in the current pool.
fn matrix_peak() -> Result<f64> {
    const SIDE: usize = 2048;
    let a = Tensor::ones((SIDE, SIDE), candle_core::DType::F32, &Device::Cpu)?;
    let secs = timed(&mut || a.matmul(&a).map(drop), 5)?;
    Ok(2.0 * (SIDE as f64).powi(3) / secs[0] / 1e9)
}
