//! Ctrl-C: the first asks the work to stop, the second does not wait for it.

use anyhow::Context as _;

use crate::units::CancelFlag;

/// A flag that Ctrl-C raises (and on Unix SIGTERM and SIGHUP).
pub(super) fn flag() -> anyhow::Result<CancelFlag> {
    let flag = CancelFlag::new();
    let raised = flag.clone();
    ctrlc::set_handler(move || {
        if raised.is_cancelled() {
            end_at_once();
        }
        raised.cancel();
    })
    .context("Ctrl-C cannot be listened to")?;
    Ok(flag)
}

#[expect(clippy::exit, reason = "the user asks a second time: whatever is still running is not waited for")]
fn end_at_once() -> ! {
    std::process::exit(130)
}
