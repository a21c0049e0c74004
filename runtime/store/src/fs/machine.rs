//! How much memory may this process take of the machine?
//!
//! What the machine has, or what its control group leaves it where that is less. It is asked once. Where the system does not tell
//! (it is not Linux, nothing is mounted there), nothing is known, and nobody should guess.
//!
//! Not here: who divides it (settings of a session, budgets of caches).

use std::{path::Path, sync::OnceLock};

/// Bytes of memory that this process may take at most, as far as the system tells.
pub fn memory_bytes() -> Option<u64> {
    static BYTES: OnceLock<Option<u64>> = OnceLock::new();
    *BYTES.get_or_init(|| {
        let of_machine = read("/proc/meminfo").and_then(|text| total_of(&text));
        let of_group = read("/sys/fs/cgroup/memory.max")
            .or_else(|| read("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
            .and_then(|text| text.trim().parse().ok());
        [of_machine, of_group].into_iter().flatten().min()
    })
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[expect(clippy::disallowed_methods, reason = "the system's own figures are no files of the database")]
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(path)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_in_kilobytes() {
        assert_eq!(total_of("MemTotal:       24576 kB\nMemFree: 1 kB\n"), Some(24576 * 1024));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
        assert_eq!(total_of("MemTotal: many\n"), None);
        assert_eq!(total_of("MemTotal: 18446744073709551615 kB\n"), None);
    }
}
