//! Named threads whose jobs may fail, even badly, without taking the program along.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::UserError;
use super::session::Shared;

/// Starts a thread with a name that shows in debuggers and in `top`.
pub(super) fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))
}

/// Runs a job; a panic in it becomes an error that says so, and the thread lives on.
pub(super) fn guarded<T>(job: impl FnOnce() -> T) -> Result<T, UserError> {
    // What a job leaves half done is dropped with it: volumes take each slice once and whole, files are renamed when complete.
    catch_unwind(AssertUnwindSafe(job)).map_err(|panic| UserError {
        message: "the program made a mistake here; what is open stays, please report this".to_owned(),
        details: vec![panic_text(panic.as_ref())],
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}

/// Threads that compute, `count` of them.
pub(super) fn compute_pool(count: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count.max(1))
        .thread_name(|index| format!("ct2rgb-compute-{index}"))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_job_is_an_error_with_its_words() {
        let error = guarded(|| -> u8 { panic!("index {} is out of range", 7) }).unwrap_err();
        assert_eq!(error.details, ["index 7 is out of range"], "what happened");
        assert_eq!(guarded(|| 5), Ok(5), "and a job that does its work gives its result");
    }
}
