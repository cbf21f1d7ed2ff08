//! Ctrl-C: the first asks the work to stop, the second does not wait for it.

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};

use crate::units::CancelFlag;

/// What a shell reports of a program that Ctrl-C ended: 128 and the signal's number.
pub(super) const EXIT_CODE: u8 = 130;

/// A flag that Ctrl-C raises, and SIGTERM.
pub(super) fn flag() -> anyhow::Result<CancelFlag> {
    let flag = CancelFlag::new();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag down, and only raises it.
        register_conditional_shutdown(signal, i32::from(EXIT_CODE), flag.shared())
            .and_then(|_id| register(signal, flag.shared()))
            .context("Ctrl-C cannot be listened to")?;
    }
    Ok(flag)
}
