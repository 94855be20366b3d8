//! How much memory is free.

use std::fs;

/// Bytes that this process may still take without the system running short, its file
/// cache counted as free; `None` where the system does not say.
pub(super) fn available() -> Option<u64> {
    let of_system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| field(&text, "MemAvailable:"));
    let of_system = of_system.map(|kib| kib * 1024);
    match (of_system, available_in_container()) {
        (Some(system), Some(container)) => Some(system.min(container)),
        (system, container) => system.or(container),
    }
}

/// What the control group leaves that a container runs in.
fn available_in_container() -> Option<u64> {
    let read = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    // Without a limit, the text is `max`.
    let limit: u64 = read("memory.max")?.trim().parse().ok()?;
    let used: u64 = read("memory.current")?.trim().parse().ok()?;
    let file_cache = read("memory.stat").and_then(|text| field(&text, "inactive_file")).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(file_cache)))
}

/// The number after a name that begins a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_after_a_name_is_found() {
        let text = "MemTotal:  10 kB\nMemAvailable:    7 kB\ninactive_file 3\n";
        assert_eq!(field(text, "MemAvailable:"), Some(7));
        assert_eq!(field(text, "inactive_file"), Some(3));
        assert_eq!(field(text, "active_file"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_running_system_has_some_memory_left() {
        assert!(available().is_some_and(|free| free > 1 << 20));
    }
}
