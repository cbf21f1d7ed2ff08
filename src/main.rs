//! The program: parse, start, report.

fn main() -> anyhow::Result<()> {
    ct2rgb::cli::run()
}
