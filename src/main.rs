//! The program: parse, start, report.

use clap::Parser as _;
use ct2rgb::cli::{self, Arguments};

fn main() -> anyhow::Result<()> {
    cli::run(Arguments::parse().command)
}
