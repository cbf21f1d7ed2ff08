//! How the program ends: one message with its causes, and an exit code.

use std::io::ErrorKind;
use std::process::ExitCode;

use super::console::say;
use super::interrupt::EXIT_CODE;
use crate::engine::UserError;
use crate::io::LoadError;
use crate::training::TrainingError;
use crate::training::prepare::PrepareError;

/// Stopped by Ctrl-C; finished files stay.
#[derive(Debug, thiserror::Error)]
#[error("stopped; {0}")]
pub(super) struct Interrupted(pub String);

/// All files are written, and some slices are black because they have no colour.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Incomplete(pub String);

/// Says what went wrong, once, and gives the exit code. A reader that went away (`ct2rgb inspect … | head`) is no error.
pub fn report(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        say(&interrupted.to_string());
        return ExitCode::from(EXIT_CODE);
    }
    if is_cancelled(&error) {
        say(&error.root_cause().to_string());
        return ExitCode::from(EXIT_CODE);
    }
    say(&format!("error: {}", chain_text(&error)));
    ExitCode::from(if error.is::<Incomplete>() { 3 } else { 1 })
}

/// Nobody but the user cancels.
fn is_cancelled(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(LoadError::Cancelled))
            || matches!(cause.downcast_ref(), Some(TrainingError::Cancelled))
            || matches!(cause.downcast_ref(), Some(PrepareError::Cancelled))
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
    kinds.into_iter().any(|kind| kind == ErrorKind::BrokenPipe)
}

/// The error and its causes on one line, without those that their effect already quotes.
fn chain_text(error: &anyhow::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if texts.last().is_none_or(|effect| !effect.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// What the engine says, as an error with its causes.
pub(super) fn from_user_error(error: UserError) -> anyhow::Error {
    let mut causes = std::iter::once(error.message).chain(error.details).rev();
    let first = anyhow::Error::msg(causes.next().unwrap_or_default());
    causes.fold(first, anyhow::Error::context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_from_the_effect_to_the_cause() {
        let details = vec!["header of 3 bytes".to_owned(), "end of file".to_owned()];
        let error = from_user_error(UserError { message: "weights cannot be used".to_owned(), details });
        assert_eq!(chain_text(&error), "weights cannot be used: header of 3 bytes: end of file");
        let doubled = anyhow::Error::msg("disk full").context("cannot write: disk full");
        assert_eq!(chain_text(&doubled), "cannot write: disk full");
    }

    #[test]
    fn what_the_user_stopped_is_told_apart_from_what_failed() {
        let stopped = anyhow::Error::from(TrainingError::Cancelled).context("the training ended early");
        assert!(is_cancelled(&stopped) && is_cancelled(&LoadError::Cancelled.into()), "stopped");
        assert!(!is_cancelled(&LoadError::Empty("folder".into()).into()), "failed");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_other_io_is() {
        let error = |kind: ErrorKind| anyhow::Error::from(std::io::Error::from(kind)).context("writing the report");
        assert!(is_broken_pipe(&error(ErrorKind::BrokenPipe)), "the reader went away");
        assert!(!is_broken_pipe(&error(ErrorKind::StorageFull)), "the disk is full");
    }
}
