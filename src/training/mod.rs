//! The paper's training and measuring.
