//! The processor's kernels against PyTorch's planes and candle's own operations.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use candle_core::{Device, Tensor, Var};
use ct2rgb::model::bench::{BenchRequest, bench_generator, bench_train_step};
use ct2rgb::model::blocks::{self, Stride};
use ct2rgb::model::cpu::{GeneratorPlan, Isa, elementwise};
use ct2rgb::model::{Generator, GeneratorConfig, GeneratorWeights, NormMode, Seed, TrainingPass, WeightsSource};
use safetensors::SafeTensors;

const PIPELINE: &[u8] = include_bytes!("fixtures/pipeline_living.safetensors");

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap().data();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "as many values");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn the_plan_answers_as_pytorch_did_whatever_the_instructions() {
    let file = SafeTensors::deserialize(PIPELINE).unwrap();
    let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/generator_reference.safetensors");
    let weights = GeneratorWeights::read(&WeightsSource::File(reference.into())).unwrap();
    for isa in Isa::available() {
        let plan = GeneratorPlan::with_isa(weights.config, weights.parameters.clone(), isa).unwrap();
        for slice in ["chest", "coarse_abdomen"] {
            let channels = floats(&file, &format!("{slice}.channels"));
            let rgb = plan.forward(&channels, [1, 3, 256, 256]).unwrap();
            let difference = largest_difference(&rgb, &floats(&file, &format!("{slice}.output")));
            // The order of sums alone gives 1e-5; one tap left out gives more than 0.1.
            assert!(difference <= 4e-5, "{slice} with {}: largest difference {difference}", isa.name());
        }
    }
}

#[test]
fn the_plan_agrees_with_the_layers_for_odd_widths_batches_and_oblong_pictures() {
    let config = GeneratorConfig { input_channels: 2, base_channels: 5, norm: NormMode::Running };
    let parameters = config.initialize(Seed(4), &Device::Cpu).unwrap();
    let plan = GeneratorPlan::new(config, parameters.clone()).unwrap();
    let shape = [3, 2, 256, 512];
    let ct = Seed(6).stream("ct").normals(shape.iter().product(), 0.0, 0.5);
    let generator = Generator::new(config, parameters).unwrap();
    let expected = generator.forward(&Tensor::from_slice(&ct, &shape, &Device::Cpu).unwrap()).unwrap();
    let expected = expected.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for _ in 0..2 {
        // The second time in maps that are used again.
        let difference = largest_difference(&plan.forward(&ct, shape).unwrap(), &expected);
        assert!(difference <= 1e-5, "largest difference {difference}");
    }
}

#[test]
fn the_plan_gives_the_same_bits_on_any_number_of_threads() {
    let config = GeneratorConfig { input_channels: 3, base_channels: 8, norm: NormMode::Running };
    let plan = GeneratorPlan::new(config, config.initialize(Seed(1), &Device::Cpu).unwrap()).unwrap();
    let ct = Seed(2).stream("ct").normals(3 * 256 * 256, 0.0, 0.5);
    let answer = |threads| on_threads(threads, || plan.forward(&ct, [1, 3, 256, 256]).unwrap());
    let alone = answer(1);
    for threads in [2, 3, 5] {
        assert_eq!(answer(threads), alone, "{threads} threads");
    }
}

#[test]
fn the_plan_refuses_other_shapes_by_name() {
    let config = GeneratorConfig { input_channels: 3, base_channels: 1, norm: NormMode::Running };
    let parameters = config.initialize(Seed(1), &Device::Cpu).unwrap();
    let plan = GeneratorPlan::new(config, parameters.clone()).unwrap();
    let message = |length, shape| plan.forward(&vec![0.0; length], shape).unwrap_err().to_string();
    let text = message(3 * 128 * 256, [1, 3, 128, 256]);
    assert!(text.contains("expected [N, 3, 256·k, 256·l], got [1, 3, 128, 256]"), "{text}");
    let text = message(7, [1, 3, 256, 256]);
    assert!(text.contains("expected [1, 3, 256, 256], got 7 values"), "{text}");
    let other = GeneratorConfig { base_channels: 2, ..config };
    let text = GeneratorPlan::new(other, parameters).unwrap_err().to_string();
    assert!(text.contains("down.0.conv.bias: expected shape [2], got [1]"), "{text}");
}

/// Random values of a shape.
fn random(shape: &[usize], name: &str) -> Tensor {
    let values = Seed(9).stream(name).normals(shape.iter().product(), 0.0, 1.0);
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Within `tolerance` of the largest expected value.
fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f32, what: &str) {
    assert_eq!(found.dims(), expected.dims(), "shape of {what}");
    let (found, expected) = (flat(found), flat(expected));
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = largest_difference(&found, &expected);
    assert!(difference <= tolerance * largest.max(1e-3), "{what}: off by {difference}, values up to {largest}");
}

/// Input, kernel, stride and padding of a convolution; the kernel as a convolution has it.
struct Case {
    input: [usize; 4],
    kernel: [usize; 4],
    stride: Stride,
}

const fn case(input: [usize; 4], kernel: [usize; 4], step: usize, padding: usize) -> Case {
    Case { input, kernel, stride: Stride { step, padding } }
}

/// candle's own gradients need height and width to leave the same remainder after the last window; ours do not, see the
/// finite differences.
const CASES: [Case; 16] = [
    case([1, 3, 16, 16], [32, 3, 4, 4], 2, 1),
    case([2, 33, 7, 9], [17, 33, 4, 4], 2, 1),
    case([1, 40, 2, 2], [48, 40, 4, 4], 2, 1),
    case([4, 5, 11, 6], [3, 5, 4, 4], 1, 1),
    case([3, 16, 9, 8], [1, 16, 4, 4], 1, 1),
    case([2, 20, 13, 5], [70, 20, 3, 3], 1, 1),
    case([1, 3, 41, 41], [64, 3, 11, 11], 4, 2),
    case([2, 8, 15, 15], [24, 8, 5, 5], 1, 2),
    case([1, 3, 38, 38], [20, 3, 7, 7], 2, 3),
    case([2, 30, 9, 11], [50, 30, 1, 1], 2, 0),
    case([1, 30, 9, 11], [50, 30, 1, 1], 1, 0),
    case([1, 7, 5, 7], [9, 7, 3, 2], 3, 0),
    case([1, 256, 6, 6], [40, 256, 3, 3], 2, 1),
    case([2, 2, 6, 20], [4, 2, 2, 2], 2, 0),
    case([1, 1, 1, 1], [1, 1, 1, 1], 1, 0),
    case([1, 4, 3, 3], [5, 4, 5, 5], 1, 2),
];

/// Values and gradients (input, weight, bias) of `operation`, with a random gradient at its result.
fn with_gradients(tensors: [&Tensor; 3], operation: impl Fn(&Tensor, &Tensor, &Tensor) -> Tensor) -> Vec<Tensor> {
    let [x, weight, bias] = tensors.map(|tensor| Var::from_tensor(tensor).unwrap());
    let result = operation(&x, &weight, &bias);
    let gradients = (&result * random(result.dims(), "gradient")).unwrap().sum_all().unwrap().backward().unwrap();
    let of = |var: &Var| gradients.get(var).unwrap().clone();
    vec![result.detach(), of(&x), of(&weight), of(&bias)]
}

const PARTS: [&str; 4] = ["values", "gradient of the input", "gradient of the weight", "gradient of the bias"];

#[test]
fn convolutions_agree_with_candles_in_values_and_gradients() {
    for Case { input, kernel, stride } in CASES {
        let (x, weight, bias) = (random(&input, "x"), random(&kernel, "weight"), random(&kernel[..1], "bias"));
        let own = with_gradients([&x, &weight, &bias], |x, w, b| blocks::conv2d(x, w, Some(b), stride).unwrap());
        let theirs = with_gradients([&x, &weight, &bias], |x, w, b| {
            let sums = x.conv2d(w, stride.padding, stride.step, 1, 1).unwrap();
            sums.broadcast_add(&b.reshape((1, (), 1, 1)).unwrap()).unwrap()
        });
        for ((own, theirs), part) in own.iter().zip(&theirs).zip(PARTS) {
            assert_close(own, theirs, 1e-5, &format!("{part} for {input:?}, {kernel:?}, {stride:?}"));
        }
    }
}

#[test]
fn transposed_convolutions_agree_with_candles_in_values_and_gradients() {
    for Case { input, kernel: [inputs, outputs, kh, kw], stride } in CASES {
        // The convolution's input channels are the transposed one's outputs.
        let (x, weight) =
            (random(&[input[0], inputs, input[2], input[3]], "x"), random(&[inputs, outputs, kh, kw], "w"));
        let bias = random(&[outputs], "bias");
        if input[2] * stride.step <= 2 * stride.padding {
            continue;
        }
        let own =
            with_gradients([&x, &weight, &bias], |x, w, b| blocks::conv_transpose2d(x, w, Some(b), stride).unwrap());
        let theirs = with_gradients([&x, &weight, &bias], |x, w, b| {
            let sums = x.conv_transpose2d(w, stride.padding, 0, stride.step, 1).unwrap();
            sums.broadcast_add(&b.reshape((1, (), 1, 1)).unwrap()).unwrap()
        });
        for ((own, theirs), part) in own.iter().zip(&theirs).zip(PARTS) {
            assert_close(own, theirs, 1e-5, &format!("{part} for {:?}, {:?}, {stride:?}", x.dims(), weight.dims()));
        }
    }
}

/// A convolution by its definition, in double precision.
fn convolution_by_definition(x: &[f64], weight: &[f64], case: &Case) -> Vec<f64> {
    let ([n, c, h, w], [outputs, _, kh, kw], Stride { step, padding }) = (case.input, case.kernel, case.stride);
    let (rows, columns) = ((h + 2 * padding - kh) / step + 1, (w + 2 * padding - kw) / step + 1);
    let mut out = Vec::new();
    for index in 0..n * outputs * rows * columns {
        let (column, row) = (index % columns, index / columns % rows);
        let (output, image) = (index / columns / rows % outputs, index / columns / rows / outputs);
        let mut sum = 0.0;
        for tap in 0..c * kh * kw {
            let (kx, ky, input) = (tap % kw, tap / kw % kh, tap / kw / kh);
            let (y, x_at) = ((row * step + ky).wrapping_sub(padding), (column * step + kx).wrapping_sub(padding));
            if y < h && x_at < w {
                sum += x[((image * c + input) * h + y) * w + x_at] * weight[output * c * kh * kw + tap];
            }
        }
        out.push(sum);
    }
    out
}

#[test]
fn gradients_agree_with_finite_differences_where_windows_leave_uneven_remainders() {
    let cases = [
        case([2, 3, 5, 6], [2, 3, 3, 2], 3, 1),
        case([1, 2, 7, 4], [3, 2, 4, 4], 2, 1),
        case([1, 1, 6, 9], [2, 1, 5, 5], 4, 2),
    ];
    for case in &cases {
        let (x, weight) = (random(&case.input, "x"), random(&case.kernel, "weight"));
        let bias = Tensor::zeros(case.kernel[0], candle_core::DType::F32, &Device::Cpu).unwrap();
        let own = with_gradients([&x, &weight, &bias], |x, w, b| blocks::conv2d(x, w, Some(b), case.stride).unwrap());
        let factors = flat(&random(own[0].dims(), "gradient"));
        let double = |tensor: &Tensor| flat(tensor).into_iter().map(f64::from).collect::<Vec<_>>();
        let (x, weight) = (double(&x), double(&weight));
        let loss = |x: &[f64], weight: &[f64]| {
            let out = convolution_by_definition(x, weight, case);
            out.iter().zip(&factors).map(|(value, factor)| value * f64::from(*factor)).sum::<f64>()
        };
        for (part, (values, gradient)) in [(&x, flat(&own[1])), (&weight, flat(&own[2]))].into_iter().enumerate() {
            for index in 0..values.len() {
                let moved = |by: f64| {
                    let mut moved = values.clone();
                    moved[index] += by;
                    if part == 0 { loss(&moved, &weight) } else { loss(&x, &moved) }
                };
                let expected = (moved(1e-4) - moved(-1e-4)) / 2e-4;
                let difference = (f64::from(gradient[index]) - expected).abs();
                assert!(difference < 1e-5 * expected.abs().max(1.0), "part {part}, value {index}: off by {difference}");
            }
        }
    }
}

#[test]
fn tensors_with_gaps_are_read_as_what_they_show() {
    let stride = Stride { step: 2, padding: 1 };
    let (wide, weight) = (random(&[2, 9, 11, 5], "wide"), random(&[4, 4, 5, 6], "weight"));
    // Channels last shown as channels first, every axis of the kernel turned.
    let x = wide.permute((0, 3, 1, 2)).unwrap();
    let weight = weight.permute((3, 2, 0, 1)).unwrap();
    let whole = |tensor: &Tensor| tensor.contiguous().unwrap();
    let found = blocks::conv2d(&x, &weight, None, stride).unwrap();
    assert_close(&found, &whole(&x).conv2d(&whole(&weight), 1, 2, 1, 1).unwrap(), 1e-5, "convolution");
    let weight = weight.transpose(0, 1).unwrap();
    let found = blocks::conv_transpose2d(&x, &weight, None, stride).unwrap();
    let expected = whole(&x).conv_transpose2d(&whole(&weight), 1, 0, 2, 1).unwrap();
    assert_close(&found, &expected, 1e-5, "transposed convolution");
}

#[test]
fn max_pools_send_the_gradient_to_the_first_largest_value() {
    for (size, kernel, step, padding) in [([7, 9], 3, 2, 1), ([8, 8], 2, 2, 0), ([5, 6], 3, 1, 1), ([13, 13], 3, 2, 0)]
    {
        let x = Var::from_tensor(&random(&[2, 3, size[0], size[1]], "x")).unwrap();
        let pooled = blocks::max_pool2d(&x, kernel, Stride { step, padding }).unwrap();
        let factors = random(pooled.dims(), "factors");
        let loss = (&pooled * &factors).unwrap().sum_all().unwrap();
        let gradient = flat(loss.backward().unwrap().get(&x).unwrap());
        let (values, factors) = (flat(&x), flat(&factors));
        let (_, _, rows, columns) = pooled.dims4().unwrap();
        let mut expected = vec![0.0; values.len()];
        for (index, factor) in factors.iter().enumerate() {
            let (plane, row, column) = (index / columns / rows, index / columns % rows, index % columns);
            let mut best = None;
            for (dy, dx) in (0..kernel).flat_map(|dy| (0..kernel).map(move |dx| (dy, dx))) {
                let (y, x_at) = ((row * step + dy).wrapping_sub(padding), (column * step + dx).wrapping_sub(padding));
                if y < size[0] && x_at < size[1] {
                    let place = (plane * size[0] + y) * size[1] + x_at;
                    if best.is_none_or(|best: usize| values[place] > values[best]) {
                        best = Some(place);
                    }
                }
            }
            let best = best.unwrap();
            assert_eq!(flat(&pooled)[index].to_bits(), values[best].to_bits(), "value {index}");
            expected[best] += factor;
        }
        assert!(largest_difference(&gradient, &expected) < 1e-5, "gradient for kernel {kernel}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors_with_what_was_expected() {
    let x = random(&[1, 3, 4, 4], "x");
    let message = |result: candle_core::Result<Tensor>| result.unwrap_err().to_string();
    let stride = Stride { step: 1, padding: 0 };
    let text = message(blocks::conv2d(&x, &random(&[2, 4, 3, 3], "w"), None, stride));
    assert!(text.contains("expected a weight [out, 3, kh, kw], got [2, 4, 3, 3]"), "{text}");
    let text = message(blocks::conv2d(&x, &random(&[2, 3, 5, 5], "w"), None, stride));
    assert!(text.contains("expected a picture that holds a 5×5 kernel, got 4×4"), "{text}");
    let text = message(blocks::conv2d(&x, &random(&[2, 3, 3, 3], "w"), Some(&random(&[3], "b")), stride));
    assert!(text.contains("expected shape [2], got [3]"), "{text}");
    let text = message(blocks::conv_transpose2d(&x, &random(&[4, 2, 3, 3], "w"), None, stride));
    assert!(text.contains("expected a weight [3, out, kh, kw], got [4, 2, 3, 3]"), "{text}");
    let text = message(blocks::max_pool2d(&x, 5, stride));
    assert!(text.contains("expected a picture of at least 5×5, got 4×4"), "{text}");
    let still = Stride { step: 0, padding: 0 };
    assert!(blocks::conv2d(&x, &random(&[2, 3, 3, 3], "w"), None, still).is_err(), "a stride of 0");
}

/// Name and gradient of every trained parameter, and the running statistics after one step.
fn step(is_own: bool, batch: usize) -> (Tensor, Vec<(String, Tensor)>) {
    let config = GeneratorConfig { input_channels: 3, base_channels: 16, norm: NormMode::Running };
    let parameters = config.initialize(Seed(4), &Device::Cpu).unwrap().to_variables().unwrap();
    let generator = Generator::new(config, parameters.clone()).unwrap();
    let ct = random(&[batch, 3, 256, 256], "ct");
    let mut dropout = Seed(1).stream("dropout");
    let pass = if is_own {
        generator.training_pass(&ct, &mut dropout).unwrap()
    } else {
        TrainingPass::Graph(generator.forward_train(&ct, &mut dropout).unwrap())
    };
    assert_eq!(matches!(pass, TrainingPass::Kernels(_)), is_own, "the path that was asked for");
    let rgb = pass.rgb().detach();
    let factors = random(rgb.dims(), "factors");
    let mut gradients = (pass.rgb() * factors).unwrap().sum_all().unwrap().backward().unwrap();
    pass.backward(&generator, &mut gradients).unwrap();
    let all = parameters.iter().map(|(name, tensor)| {
        let value = gradients.get(tensor).unwrap_or(tensor).detach();
        assert_eq!(gradients.get(tensor).is_none(), name.contains("running"), "a gradient for {name}");
        (name.to_owned(), value)
    });
    (rgb, all.collect())
}

#[test]
fn a_training_step_agrees_with_the_graph_in_answer_statistics_and_every_gradient() {
    for batch in [1, 2] {
        let ((rgb, own), (rgb_graph, graph)) = (step(true, batch), step(false, batch));
        assert_close(&rgb, &rgb_graph, 1e-4, "answer");
        for ((name, own), (_, graph)) in own.iter().zip(&graph) {
            assert_close(own, graph, 5e-4, &format!("{name}, batch {batch}"));
        }
    }
}

#[test]
fn a_training_step_gives_the_same_bits_on_any_number_of_threads() {
    let on = |threads| {
        let (rgb, gradients) = on_threads(threads, || step(true, 1));
        std::iter::once(rgb)
            .chain(gradients.into_iter().map(|(_, tensor)| tensor))
            .map(|t| flat(&t))
            .collect::<Vec<_>>()
    };
    assert_eq!(on(1), on(3), "one thread and three");
}

#[test]
fn gradients_handed_over_one_by_one_are_the_same_and_let_the_weights_move() {
    let config = GeneratorConfig { input_channels: 3, base_channels: 16, norm: NormMode::Running };
    let gradients_of = |moves: bool| {
        let parameters = config.initialize(Seed(4), &Device::Cpu).unwrap().to_variables().unwrap();
        let generator = Generator::new(config, parameters.clone()).unwrap();
        let pass = generator.training_pass(&random(&[1, 3, 256, 256], "ct"), &mut Seed(1).stream("dropout")).unwrap();
        let mut gradients = pass.rgb().sqr().unwrap().mean_all().unwrap().backward().unwrap();
        let mut all = std::collections::BTreeMap::new();
        if moves {
            pass.backward_each(&generator, &mut gradients, &mut |name, weight, gradient| {
                all.insert(name.to_owned(), flat(&gradient.to_tensor(weight)?));
                Var::from_tensor(weight)?.set(&weight.zeros_like()?)
            })
            .unwrap();
        } else {
            pass.backward(&generator, &mut gradients).unwrap();
            let trained = parameters.trained().unwrap();
            all.extend(trained.into_iter().map(|(name, var)| (name, flat(gradients.get(&var).unwrap()))));
        }
        all
    };
    assert_eq!(gradients_of(true), gradients_of(false), "weights set to 0 while the gradients are handed over");
}

#[test]
fn the_bench_gives_a_line_for_each_width() {
    let request = BenchRequest { base_channels: vec![1, 2], sizes: vec![256], batches: vec![1], threads: 1, runs: 1 };
    for bench in [bench_generator, bench_train_step] {
        let mut rows = Vec::new();
        bench(&request, &mut |row| rows.push(row)).unwrap();
        let shapes = rows.iter().map(|row| (row.base_channels, row.batch, row.threads)).collect::<Vec<_>>();
        assert_eq!(shapes, [(1, 1, 1), (2, 1, 1)], "lines");
        for row in rows {
            assert!(row.least_secs > 0.0 && row.secs >= row.least_secs, "times of {row:?}");
            assert!(row.peak_share > 0.0 && row.peak_gflop_per_sec > 0.0, "rates of {row:?}");
        }
    }
}

#[test]
fn batch_norm_and_leaky_relu_agree_with_candles_in_values_and_gradients() {
    for shape in [[2, 3, 5, 7], [1, 20, 4, 4], [4, 5, 33, 40]] {
        let (x, weight, bias) = (random(&shape, "x"), random(&shape[1..2], "w"), random(&shape[1..2], "b"));
        let own = with_gradients([&x, &weight, &bias], |x, w, b| {
            let statistics = elementwise::batch_statistics(x).unwrap();
            let normed = elementwise::batch_norm(x, [w, b], statistics, 1e-5).unwrap();
            blocks::leaky_relu(&normed).unwrap()
        });
        let theirs = with_gradients([&x, &weight, &bias], |x, w, b| {
            let mean_of = |t: &Tensor| t.mean_keepdim((0, 2, 3)).unwrap();
            let centered = x.broadcast_sub(&mean_of(x)).unwrap();
            let variance = mean_of(&centered.sqr().unwrap());
            let unit = centered.broadcast_div(&variance.affine(1.0, 1e-5).unwrap().sqrt().unwrap()).unwrap();
            let column = |t: &Tensor| t.reshape((1, (), 1, 1)).unwrap();
            let normed = unit.broadcast_mul(&column(w)).unwrap().broadcast_add(&column(b)).unwrap();
            normed.maximum(&normed.affine(0.2, 0.0).unwrap()).unwrap()
        });
        for ((own, theirs), part) in own.iter().zip(&theirs).zip(PARTS) {
            assert_close(own, theirs, 2e-5, &format!("{part} for {shape:?}"));
        }
    }
}
