//! Ctrl-C: the first asks the work to stop, the second does not wait for it.

use std::sync::Arc;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};

use crate::units::CancelFlag;

/// What a shell reports of a program that Ctrl-C ended: 128 and the signal's number.
pub(super) const EXIT_CODE: u8 = 130;

/// A flag that Ctrl-C raises, and SIGTERM. One more ends the program at once, if the work has seen the flag by then: `timeout` and
/// terminals may send a signal twice in the same moment, which is one wish.
pub(super) fn flag() -> anyhow::Result<CancelFlag> {
    let flag = CancelFlag::new();
    let (raised, noticed) = flag.for_signals();
    for signal in [SIGINT, SIGTERM] {
        register_conditional_shutdown(signal, i32::from(EXIT_CODE), Arc::clone(&noticed))
            .and_then(|_id| register(signal, Arc::clone(&raised)))
            .context("Ctrl-C cannot be listened to")?;
    }
    Ok(flag)
}
