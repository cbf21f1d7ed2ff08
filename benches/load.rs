//! Opening a CT: 300 uncompressed slices of 512², headers and voxels, file cache warm.

use std::path::Path;
use std::sync::OnceLock;

use ct2rgb::io::{ReadRequest, scan};
use ct2rgb::units::{CancelFlag, SliceIndex};
use tempfile::TempDir;

#[path = "../tests/common/mod.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the phantom of the tests, of which a bench uses a part")]
mod common;

const SLICES: usize = 300;

fn main() {
    // Written, and in the file cache, before the clock runs.
    folder();
    divan::main();
}

/// The phantom on disk; `CT2RGB_BENCH_CT` names a folder to be read in its place.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<(TempDir, Option<std::path::PathBuf>)> = OnceLock::new();
    let (own, given) = FOLDER.get_or_init(|| {
        let own = tempfile::tempdir().expect("a temporary folder");
        let given = std::env::var_os("CT2RGB_BENCH_CT").map(Into::into);
        if given.is_none() {
            common::Phantom { columns: 512, rows: 512, slices: SLICES, ..Default::default() }.write_to(own.path());
        }
        (own, given)
    });
    given.as_deref().unwrap_or(own.path())
}

fn load(until_first: bool) -> usize {
    let cancel = CancelFlag::new();
    let found = scan(folder(), &cancel, &|_| {}).expect("the phantom is CT");
    let volume = found.series[0].pending_volume();
    let stop = |_: SliceIndex| {
        if until_first {
            cancel.cancel();
        }
    };
    let request = ReadRequest { first: SliceIndex(volume.slice_count() / 2), cancel: &cancel, on_slice: &stop };
    match found.series[0].read_into(&volume, &request) {
        Ok(warnings) => assert!(warnings.is_empty(), "{warnings:?}"),
        Err(error) => assert!(until_first, "{error}"),
    }
    volume.settled_count()
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn first_slice_after_opening() -> usize {
    load(true)
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn whole_series() -> usize {
    load(false)
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn headers_only() -> usize {
    scan(folder(), &CancelFlag::new(), &|_| {}).expect("the phantom is CT").series.len()
}
