//! Max pools between maps, channels last, without padding.

use super::map::FeatureMap;

/// Pixels of a window before its last one; kernels are 3×3 at most.
const MOST_EARLIER: usize = 8;

/// The largest of each window. `[kernel, stride]`.
pub fn max_pool(input: &FeatureMap, [kernel, stride]: [usize; 2], output: &mut FeatureMap) {
    let (height, step) = (output.height, output.step);
    output.for_each_line(
        #[inline(always)]
        |line, pixels| {
            let (n, y) = (line / height, line % height);
            for (x, out) in pixels.chunks_exact_mut(step).enumerate() {
                for dy in 0..kernel {
                    let from = input.line(n * input.height + y * stride + dy);
                    for dx in 0..kernel {
                        let from = &from[(x * stride + dx) * input.step..][..input.channels];
                        if dy + dx == 0 {
                            out[..input.channels].copy_from_slice(from);
                            continue;
                        }
                        for (out, value) in out.iter_mut().zip(from) {
                            *out = if *value > *out { *value } else { *out };
                        }
                    }
                }
            }
        },
    );
}

/// The gradient of `input`, of which `target` may hold fewer images: it goes to the first largest value of each window.
/// `[input, output, gradient]`: maps of the pool and the gradient of its output.
pub fn max_pool_gradient(
    [input, output, gradient]: [&FeatureMap; 3],
    [kernel, stride]: [usize; 2],
    target: &mut FeatureMap,
) {
    let (height, step) = (target.height, target.step);
    // Windows along an axis that hold a place.
    let windows = |place: usize, count: usize| {
        let first = (place + 1).saturating_sub(kernel).div_ceil(stride);
        first..(place / stride + 1).min(count)
    };
    target.for_each_line(
        #[inline(always)]
        |line, pixels| {
            let (n, y) = (line / height, line % height);
            let here_line = input.line(line);
            pixels.fill(0.0);
            for oy in windows(y, output.height) {
                let (largest, from) = (output.line(n * output.height + oy), gradient.line(n * output.height + oy));
                for (x, target) in pixels.chunks_exact_mut(step).enumerate() {
                    for ox in windows(x, output.width) {
                        let largest = &largest[ox * output.step..][..output.channels];
                        let from = &from[ox * gradient.step..][..output.channels];
                        let here = &here_line[x * input.step..][..output.channels];
                        // Pixels of the window before this one, which may hold the same value.
                        let mut earlier: [&[f32]; MOST_EARLIER] = [&[]; MOST_EARLIER];
                        let mut count = 0;
                        for row in oy * stride..=y {
                            let end = if row == y { x } else { ox * stride + kernel };
                            for column in ox * stride..end {
                                let before = input.line(n * input.height + row);
                                earlier[count] = &before[column * input.step..][..output.channels];
                                count += 1;
                            }
                        }
                        for (c, target) in target[..output.channels].iter_mut().enumerate() {
                            let is_first = earlier[..count].iter().all(|before| before[c] < largest[c]);
                            *target += if is_first && here[c] >= largest[c] { from[c] } else { 0.0 };
                        }
                    }
                }
            }
        },
    );
}
