//! The two innermost loops of every convolution, for AVX-512, AVX2 with FMA, and any other processor.
//!
//! This file holds the raw pointers; callers describe blocks of work with checked slices and row maps.
#![expect(
    clippy::inline_always,
    clippy::needless_range_loop,
    reason = "all of a kernel must become one function, so that sums stay in registers and the processor's instructions are used"
)]
#![expect(
    unsafe_code,
    reason = "vector intrinsics read through pointers, and tasks write disjoint parts of one buffer; debug builds check the bounds"
)]

use super::isa::{Isa, Kind, PORTABLE_ROWS};
use super::rows::RowMap;

/// Channels are stored in multiples of this, so that no vector is partly filled.
pub const CHANNEL_BLOCK: usize = 16;
/// Most rows that a tile of any instruction set has.
pub const MAX_TILE_ROWS: usize = 14;
/// Widest panel of any instruction set.
pub const MAX_PANEL: usize = 32;

/// A buffer that several tasks write at once, each its own elements.
#[derive(Clone, Copy)]
pub struct SharedMut<'a> {
    ptr: *mut f32,
    len: usize,
    marker: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: elements are plain numbers, and callers of the unsafe accessor promise that no two tasks touch the same ones.
unsafe impl Send for SharedMut<'_> {}
// SAFETY: as above.
unsafe impl Sync for SharedMut<'_> {}

impl<'a> SharedMut<'a> {
    /// Wraps a buffer for the time of one parallel loop.
    pub fn new(data: &'a mut [f32]) -> Self {
        Self { ptr: data.as_mut_ptr(), len: data.len(), marker: std::marker::PhantomData }
    }

    /// Elements `offset … offset + len`.
    ///
    /// # Safety
    /// No other task may touch these elements while the slice lives.
    #[inline(always)]
    pub unsafe fn part(&self, offset: usize, len: usize) -> &'a mut [f32] {
        debug_assert!(offset + len <= self.len, "elements {offset}+{len} of a buffer of {}", self.len);
        // SAFETY: in bounds by the row maps (checked in debug builds); disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.add(offset), len) }
    }
}

/// One run of products: `len` consecutive inputs times `len` consecutive rows of a panel.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Added to a row's input offset.
    pub input: usize,
    /// First row of the panel.
    pub weight_row: usize,
}

/// Where results go: `out[rows(m) + column] = activation(sum + bias)`.
#[derive(Clone, Copy)]
pub struct Sink<'a> {
    /// The buffer.
    pub out: SharedMut<'a>,
    /// Offset of each row's first column.
    pub rows: RowMap,
    /// Negative values are multiplied by this: 1 keeps them, 0 is ReLU, 0.2 the U-Net's leaky ReLU.
    pub negative_slope: f32,
}

/// Rows `first_row … first_row + row_count` of a product with one panel.
pub struct Block<'a> {
    /// Input values.
    pub input: &'a [f32],
    /// Offset of each row's input.
    pub rows: RowMap,
    /// Which parts of the input meet which rows of the panel.
    pub segments: &'a [Segment],
    /// Length of each segment.
    pub len: usize,
    /// Packed weights: `panel_width` columns for each row.
    pub panel: &'a [f32],
    /// 16 or 32.
    pub panel_width: usize,
    /// One value for each column of the panel.
    pub bias: &'a [f32],
    /// First column of the panel in the output.
    pub first_column: usize,
    /// First row.
    pub first_row: usize,
    /// Rows.
    pub row_count: usize,
    /// Where results go.
    pub sinks: &'a [Sink<'a>],
}

trait Vector: Copy {
    const LANES: usize;
    unsafe fn zero() -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(from: *const f32) -> Self;
    unsafe fn fma(a: Self, b: Self, sum: Self) -> Self;
}

/// Runs `work`, compiled for the widest vectors of the processor as far as it is inlined: for loops over plain slices, in
/// closures that are always inlined.
#[inline(always)]
pub fn vectorized<R>(isa: Isa, work: impl FnOnce() -> R) -> R {
    match isa.kind() {
        // SAFETY: an `Isa` of this kind exists only where the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { x86::call_avx512(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { x86::call_avx2(work) },
        Kind::Portable => work(),
    }
}

/// Multiplies one block, tile by tile.
pub fn multiply(isa: Isa, block: &Block<'_>) {
    debug_assert_eq!(block.panel.len() % block.panel_width, 0, "whole rows of the panel");
    match isa.kind() {
        // SAFETY: an `Isa` of this kind exists only where the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { x86::multiply_avx512(block) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { x86::multiply_avx2(block) },
        // SAFETY: needs no instruction beyond the target's own.
        Kind::Portable => unsafe { run::<Quad, PORTABLE_ROWS, 4, 4>(block) },
    }
}

/// All tiles of a block. `FULL` rows a tile; `WIDE` vectors for a full panel, `NARROW` for one of 16 columns.
#[inline(always)]
unsafe fn run<V: Vector, const FULL: usize, const WIDE: usize, const NARROW: usize>(block: &Block<'_>) {
    let mut sums = [0.0_f32; MAX_TILE_ROWS * MAX_PANEL];
    let mut done = 0;
    while done < block.row_count {
        let rows = (block.row_count - done).min(FULL);
        let offsets = block.rows.offsets(block.first_row + done, rows);
        check_reads(block, &offsets[..rows]);
        // SAFETY: bounds as described at `tile`, checked above in debug builds.
        unsafe {
            if block.panel_width == NARROW * V::LANES && WIDE != NARROW {
                dispatch::<V, FULL, NARROW>(block, &offsets, rows, sums.as_mut_ptr());
            } else {
                dispatch::<V, FULL, WIDE>(block, &offsets, rows, sums.as_mut_ptr());
            }
        }
        for sink in block.sinks {
            // SAFETY: tasks have disjoint rows or columns.
            unsafe { write_tile(block, sink, &sums, done, rows) };
        }
        done += rows;
    }
}

#[inline(always)]
unsafe fn write_tile(block: &Block<'_>, sink: &Sink<'_>, sums: &[f32], done: usize, rows: usize) {
    let width = block.panel_width;
    let offsets = sink.rows.offsets(block.first_row + done, rows);
    for (row, offset) in offsets[..rows].iter().enumerate() {
        // SAFETY: this task alone has this row and these columns.
        let out = unsafe { sink.out.part(offset + block.first_column, width) };
        for ((out, sum), bias) in out.iter_mut().zip(&sums[row * width..(row + 1) * width]).zip(&block.bias[..width]) {
            let value = sum + bias;
            *out = if value > 0.0 { value } else { value * sink.negative_slope };
        }
    }
}

#[inline(always)]
fn check_reads(block: &Block<'_>, offsets: &[usize]) {
    if cfg!(debug_assertions) {
        for segment in block.segments {
            let last_row = segment.weight_row + block.len;
            assert!(last_row * block.panel_width <= block.panel.len(), "weight row {last_row} is outside the panel");
            for offset in offsets {
                let end = offset + segment.input + block.len;
                assert!(end <= block.input.len(), "input {end} of {}", block.input.len());
            }
        }
    }
}

#[inline(always)]
unsafe fn dispatch<V: Vector, const FULL: usize, const NV: usize>(
    block: &Block<'_>,
    offsets: &[usize; MAX_TILE_ROWS],
    rows: usize,
    sums: *mut f32,
) {
    // SAFETY: forwarded.
    unsafe {
        if rows == FULL {
            return tile::<V, FULL, NV>(block, offsets, sums);
        }
        match rows {
            1 => tile::<V, 1, NV>(block, offsets, sums),
            2 => tile::<V, 2, NV>(block, offsets, sums),
            3 if FULL > 3 => tile::<V, 3, NV>(block, offsets, sums),
            4 if FULL > 4 => tile::<V, 4, NV>(block, offsets, sums),
            5 if FULL > 5 => tile::<V, 5, NV>(block, offsets, sums),
            6 if FULL > 6 => tile::<V, 6, NV>(block, offsets, sums),
            7 if FULL > 7 => tile::<V, 7, NV>(block, offsets, sums),
            8 if FULL > 8 => tile::<V, 8, NV>(block, offsets, sums),
            9 if FULL > 9 => tile::<V, 9, NV>(block, offsets, sums),
            10 if FULL > 10 => tile::<V, 10, NV>(block, offsets, sums),
            11 if FULL > 11 => tile::<V, 11, NV>(block, offsets, sums),
            12 if FULL > 12 => tile::<V, 12, NV>(block, offsets, sums),
            13 if FULL > 13 => tile::<V, 13, NV>(block, offsets, sums),
            _ => unreachable!("a tile has at most {FULL} rows"),
        }
    }
}

/// `MR` rows × `NV` vectors of sums, kept in registers over all segments.
///
/// # Safety
/// For each row and segment, `len` inputs from the row's offset and `len` panel rows must exist; `sums` has room for the tile.
#[inline(always)]
unsafe fn tile<V: Vector, const MR: usize, const NV: usize>(
    block: &Block<'_>,
    offsets: &[usize; MAX_TILE_ROWS],
    sums: *mut f32,
) {
    // SAFETY: the caller's promise, which `check_reads` verifies in debug builds.
    unsafe {
        let mut acc = [[V::zero(); NV]; MR];
        let input = block.input.as_ptr();
        for segment in block.segments {
            let mut from = [input; MR];
            for i in 0..MR {
                from[i] = input.add(offsets[i] + segment.input);
            }
            let mut weights = block.panel.as_ptr().add(segment.weight_row * NV * V::LANES);
            for k in 0..block.len {
                let mut w = [V::zero(); NV];
                for j in 0..NV {
                    w[j] = V::load(weights.add(j * V::LANES));
                }
                for i in 0..MR {
                    let x = V::splat(from[i].add(k));
                    for j in 0..NV {
                        acc[i][j] = V::fma(x, w[j], acc[i][j]);
                    }
                }
                weights = weights.add(NV * V::LANES);
            }
        }
        for i in 0..MR {
            for j in 0..NV {
                acc[i][j].store(sums.add((i * NV + j) * V::LANES));
            }
        }
    }
}

/// Lines of two maps whose products are added up over the pixels: `out[i][j] = Σ left[pixel][i] · right[pixel][j]`.
pub struct GradBlock<'a> {
    /// Values that become rows of `out`.
    pub left: &'a [f32],
    /// Where the left pixels lie.
    pub left_rows: RowMap,
    /// Values that become columns of `out`.
    pub right: &'a [f32],
    /// Where the right pixels lie; as many as the left ones.
    pub right_rows: RowMap,
    /// Lines of pixels.
    pub lines: std::ops::Range<usize>,
    /// 16 or 32 columns.
    pub panel_width: usize,
    /// Whether sums start from what `out` holds, and not from 0.
    pub is_added: bool,
}

/// Adds one block to `out`, or writes it there; its length is a multiple of the panel's width.
pub fn accumulate(isa: Isa, block: &GradBlock<'_>, out: &mut [f32]) {
    match isa.kind() {
        // SAFETY: an `Isa` of this kind exists only where the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { x86::accumulate_avx512(block, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { x86::accumulate_avx2(block, out) },
        // SAFETY: needs no instruction beyond the target's own.
        Kind::Portable => unsafe { run_grad::<Quad, PORTABLE_ROWS, 4, 4>(block, out) },
    }
}

#[inline(always)]
unsafe fn run_grad<V: Vector, const FULL: usize, const WIDE: usize, const NARROW: usize>(
    block: &GradBlock<'_>,
    out: &mut [f32],
) {
    debug_assert_eq!(out.len() % block.panel_width, 0, "whole rows");
    let tiles = out.chunks_mut(FULL * block.panel_width).enumerate();
    for (index, tile) in tiles {
        let first = index * FULL;
        check_grad(block, first + tile.len() / block.panel_width);
        // SAFETY: bounds as described at `grad_tile`, checked above in debug builds.
        unsafe {
            if block.panel_width == NARROW * V::LANES && WIDE != NARROW {
                dispatch_grad::<V, FULL, NARROW>(block, first, tile);
            } else {
                dispatch_grad::<V, FULL, WIDE>(block, first, tile);
            }
        }
    }
}

#[inline(always)]
fn check_grad(block: &GradBlock<'_>, rows: usize) {
    if cfg!(debug_assertions) {
        for line in block.lines.clone() {
            let last = |map: &RowMap| map.line(line) + (map.width - 1) * map.step_x;
            assert!(last(&block.left_rows) + rows <= block.left.len(), "left line {line}");
            assert!(last(&block.right_rows) + block.panel_width <= block.right.len(), "right line {line}");
        }
    }
}

#[inline(always)]
unsafe fn dispatch_grad<V: Vector, const FULL: usize, const NV: usize>(
    block: &GradBlock<'_>,
    first: usize,
    tile: &mut [f32],
) {
    // SAFETY: forwarded.
    unsafe {
        match tile.len() / (NV * V::LANES) {
            rows if rows == FULL => grad_tile::<V, FULL, NV>(block, first, tile),
            1 => grad_tile::<V, 1, NV>(block, first, tile),
            2 => grad_tile::<V, 2, NV>(block, first, tile),
            3 if FULL > 3 => grad_tile::<V, 3, NV>(block, first, tile),
            4 if FULL > 4 => grad_tile::<V, 4, NV>(block, first, tile),
            5 if FULL > 5 => grad_tile::<V, 5, NV>(block, first, tile),
            6 if FULL > 6 => grad_tile::<V, 6, NV>(block, first, tile),
            7 if FULL > 7 => grad_tile::<V, 7, NV>(block, first, tile),
            8 if FULL > 8 => grad_tile::<V, 8, NV>(block, first, tile),
            9 if FULL > 9 => grad_tile::<V, 9, NV>(block, first, tile),
            10 if FULL > 10 => grad_tile::<V, 10, NV>(block, first, tile),
            11 if FULL > 11 => grad_tile::<V, 11, NV>(block, first, tile),
            12 if FULL > 12 => grad_tile::<V, 12, NV>(block, first, tile),
            13 if FULL > 13 => grad_tile::<V, 13, NV>(block, first, tile),
            rows => unreachable!("a tile has at most {FULL} rows, not {rows}"),
        }
    }
}

/// `MR` rows × `NV` vectors of `tile`, kept in registers over all pixels.
///
/// # Safety
/// Each left pixel has `first + MR` values, each right pixel `NV` vectors; `tile` has room for `MR` × `NV` vectors.
#[inline(always)]
unsafe fn grad_tile<V: Vector, const MR: usize, const NV: usize>(
    block: &GradBlock<'_>,
    first: usize,
    tile: &mut [f32],
) {
    let tile = tile.as_mut_ptr();
    // SAFETY: the caller's promise, which `check_grad` verifies in debug builds.
    unsafe {
        let mut acc = [[V::zero(); NV]; MR];
        if block.is_added {
            for i in 0..MR {
                for j in 0..NV {
                    acc[i][j] = V::load(tile.add((i * NV + j) * V::LANES));
                }
            }
        }
        let (left_step, right_step) = (block.left_rows.step_x, block.right_rows.step_x);
        for line in block.lines.clone() {
            let mut left = block.left.as_ptr().add(block.left_rows.line(line) + first);
            let mut right = block.right.as_ptr().add(block.right_rows.line(line));
            for _ in 0..block.left_rows.width {
                let mut r = [V::zero(); NV];
                for j in 0..NV {
                    r[j] = V::load(right.add(j * V::LANES));
                }
                for i in 0..MR {
                    let l = V::splat(left.add(i));
                    for j in 0..NV {
                        acc[i][j] = V::fma(l, r[j], acc[i][j]);
                    }
                }
                left = left.wrapping_add(left_step);
                right = right.wrapping_add(right_step);
            }
        }
        for i in 0..MR {
            for j in 0..NV {
                acc[i][j].store(tile.add((i * NV + j) * V::LANES));
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Quad([f32; 4]);

impl Vector for Quad {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self([unsafe { *from }; 4])
    }
    #[inline(always)]
    unsafe fn fma(a: Self, b: Self, sum: Self) -> Self {
        let mut out = sum.0;
        for ((out, a), b) in out.iter_mut().zip(a.0).zip(b.0) {
            // A fused call is a library function where the target has no such instruction.
            *out = if cfg!(target_arch = "x86_64") { *out + a * b } else { a.mul_add(b, *out) };
        }
        Self(out)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{Block, GradBlock, Vector, run, run_grad};

    #[target_feature(enable = "avx512f,avx2,fma")]
    pub(super) fn call_avx512<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn call_avx2<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn multiply_avx512(block: &Block<'_>) {
        // SAFETY: bounds as described at `tile`.
        unsafe { run::<__m512, 14, 2, 1>(block) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn multiply_avx2(block: &Block<'_>) {
        // SAFETY: bounds as described at `tile`.
        unsafe { run::<__m256, 6, 2, 2>(block) }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn accumulate_avx512(block: &GradBlock<'_>, out: &mut [f32]) {
        // SAFETY: bounds as described at `grad_tile`.
        unsafe { run_grad::<__m512, 14, 2, 1>(block, out) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn accumulate_avx2(block: &GradBlock<'_>, out: &mut [f32]) {
        // SAFETY: bounds as described at `grad_tile`.
        unsafe { run_grad::<__m256, 6, 2, 2>(block, out) }
    }

    impl Vector for __m512 {
        const LANES: usize = 16;
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: reached only below a function with the feature.
            unsafe { _mm512_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: as above; the pointer is the caller's promise.
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: as above; the pointer is the caller's promise.
            unsafe { _mm512_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn splat(from: *const f32) -> Self {
            // SAFETY: as above; the pointer is the caller's promise.
            unsafe { _mm512_set1_ps(*from) }
        }
        #[inline(always)]
        unsafe fn fma(a: Self, b: Self, sum: Self) -> Self {
            // SAFETY: as above.
            unsafe { _mm512_fmadd_ps(a, b, sum) }
        }
    }

    impl Vector for __m256 {
        const LANES: usize = 8;
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: reached only below a function with the feature.
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: as above; the pointer is the caller's promise.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: as above; the pointer is the caller's promise.
            unsafe { _mm256_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn splat(from: *const f32) -> Self {
            // SAFETY: as above; the pointer is the caller's promise.
            unsafe { _mm256_broadcast_ss(&*from) }
        }
        #[inline(always)]
        unsafe fn fma(a: Self, b: Self, sum: Self) -> Self {
            // SAFETY: as above.
            unsafe { _mm256_fmadd_ps(a, b, sum) }
        }
    }
}
