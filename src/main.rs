//! The program: parse, start, report.

use std::process::ExitCode;

fn main() -> ExitCode {
    match ct2rgb::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where an error is shown")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
