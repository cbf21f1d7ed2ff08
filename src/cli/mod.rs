//! The command line.

use clap::Parser as _;

mod train;

pub use train::TrainArgs;

/// The program's arguments.
#[derive(Debug, clap::Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Train a generator on pairs of CT slices and photographs.
    Train(Box<TrainArgs>),
}

/// Parses the arguments and runs the command.
pub fn run() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Train(args) => train::run(*args),
    }
}
