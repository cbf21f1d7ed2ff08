//! The program: parse, start, report.

fn main() {}
