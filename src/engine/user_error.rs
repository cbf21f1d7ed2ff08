//! Errors as a person reads them.

use std::error::Error;

/// What happened, to which thing, and what to do, in plain words without identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    /// One sentence.
    pub message: String,
    /// The chain of causes, for a "Details" fold.
    pub details: Vec<String>,
}

impl UserError {
    /// A sentence without causes.
    pub fn plain(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new() }
    }
}

impl<E: Error> From<&E> for UserError {
    fn from(error: &E) -> Self {
        let message = error.to_string();
        let mut details: Vec<String> = Vec::new();
        let mut cause = error.source();
        while let Some(source) = cause {
            let text = source.to_string();
            // A transparent error says the same as its cause.
            if details.last() != Some(&text) && text != message {
                details.push(text);
            }
            cause = source.source();
        }
        Self { message, details }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer words")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_are_kept_in_order_and_said_once() {
        let error = UserError::from(&Outer(std::io::Error::other("the inner words")));
        assert_eq!(error.message, "the outer words", "the sentence");
        assert_eq!(error.details, ["the inner words"], "its cause");
    }
}
