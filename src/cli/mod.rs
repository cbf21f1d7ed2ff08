//! The command line.

mod console;
mod evaluate;
mod pace;

use clap::{Parser, Subcommand};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "ct2rgb", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: CliCommand,
}

/// Work without a window.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Measure colours against photographs, or what can be said of them without.
    Evaluate(evaluate::EvaluateArgs),
}

/// Does what was asked for.
pub fn run(command: CliCommand) -> anyhow::Result<()> {
    match command {
        CliCommand::Evaluate(args) => evaluate::run(&args),
    }
}
