//! The command line.

pub mod prepare;

use clap::Parser as _;

#[derive(Debug, clap::Parser)]
#[command(name = "ct2rgb", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make pairs of CT and photograph for training and measuring.
    Prepare(prepare::PrepareArgs),
}

/// Runs what the command line asks for.
pub fn run() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Prepare(args) => prepare::run(args),
    }
}
