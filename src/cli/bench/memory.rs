//! How much memory this process takes, where the operating system tells.

/// Megabytes (10⁶ bytes).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    /// Now.
    pub(super) resident_mb: f64,
    /// The most since the start of the process.
    pub(super) peak_mb: f64,
}

/// From `/proc` on Linux; `None` elsewhere.
pub(super) fn now() -> Option<Memory> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<Memory> {
    let megabytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0 / 1e6)
    };
    Some(Memory { resident_mb: megabytes("VmRSS:")?, peak_mb: megabytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernels_own_words() {
        let status = "Name:\tct2rgb\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\n";
        assert_eq!(parse(status), Some(Memory { resident_mb: 1.024, peak_mb: 2.048 }));
        assert_eq!(parse("Name:\tct2rgb\n"), None);
    }
}
