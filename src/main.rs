//! The program: parse, start, report.

use std::process::ExitCode;

use clap::Parser as _;
use ct2rgb::cli::{self, Arguments, ViewerArgs};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_tracing();
    let outcome = match arguments.command {
        Some(command) => cli::run(command),
        None => arguments.viewer.check_path().and_then(|()| open_viewer(arguments.viewer)),
    };
    cli::report(outcome)
}

/// Diagnostics on stderr; `RUST_LOG=ct2rgb=debug` shows more. Standard output belongs to results.
fn start_tracing() {
    let quiet = "ct2rgb=warn".parse().expect("a directive without a typing error");
    let filter = tracing_subscriber::EnvFilter::builder().with_default_directive(quiet).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[cfg(feature = "gui")]
fn open_viewer(arguments: ViewerArgs) -> anyhow::Result<()> {
    use ct2rgb::ui::{LaunchOptions, run};
    let ViewerArgs { weights, device, .. } = &arguments;
    let (weights, device) = (cli::weights_source(weights.as_deref()), *device);
    Ok(run(LaunchOptions { path: arguments.path_to_open(), weights, device })?)
}

#[cfg(not(feature = "gui"))]
fn open_viewer(_arguments: ViewerArgs) -> anyhow::Result<()> {
    anyhow::bail!(
        "this build has no window; `ct2rgb colorize PATH --out DIR` works without one, and a build with the feature gui has it"
    )
}
