//! Memory: what a model needs at least, and what is free.
//!
//! Linux hands out memory that it does not have, and ends the process when it is touched; so need
//! and supply are compared before llama.cpp allocates.

use std::fs;
use std::path::{Path, PathBuf};

use super::Checked;
use crate::api::error::{Error, ErrorKind, Result};
use crate::model::KvType;

/// The least that loading a model and making its context takes, in bytes, beside the pages of a
/// mapped file, which the system can take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct MemoryNeed {
    pub(in crate::model) weights: u64,
    pub(in crate::model) cache: u64,
}

impl MemoryNeed {
    /// For a context of so many tokens and sequences.
    pub(in crate::model) fn estimate(
        model: &Checked,
        tokens: u32,
        sequences: u32,
        kv_type: KvType,
        is_mapped: bool,
    ) -> Self {
        let hparams = &model.hparams;
        // Which layers have the window is known to llama.cpp only: all, at best.
        let cells = hparams.sliding_window.map_or(u64::from(tokens), |window| {
            let windows = u64::from(window) * u64::from(sequences);
            windows.min(u64::from(tokens))
        });
        let widths = hparams.key_width.iter().chain(&hparams.value_width);
        let elements = widths.fold(0_u64, |sum, width| sum.saturating_add(width.saturating_mul(cells)));
        // Bytes in a block of 32 elements.
        let block = match kv_type {
            KvType::F32 => 128,
            KvType::F16 => 64,
            KvType::Q8_0 => 34,
            KvType::Q4_0 => 18,
        };
        let cache = (elements / 32).saturating_mul(block);
        MemoryNeed { weights: if is_mapped { 0 } else { model.gguf.data_len }, cache }
    }
}

/// Bytes that this process can still have: what the system has free, within the limits of its
/// control groups. `None` where the system does not say.
pub(in crate::model) fn free_memory() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limited = group_folders(&groups).iter().filter_map(|folder| group_free(folder)).min();
    system.into_iter().chain(limited).min()
}

/// Refuses what the free memory has no room for.
///
/// # Errors
///
/// `Unavailable`, whose message begins with `what`.
pub(in crate::model) fn check_free_memory(need: u64, what: impl FnOnce() -> String) -> Result<()> {
    match free_memory() {
        Some(free) if need > free => {
            let (need, free) = (need >> 20, free >> 20);
            let message = format!("{}: at least {need} MiB are needed and {free} MiB are free", what());
            Err(Error::new(ErrorKind::Unavailable, message))
        }
        _ => Ok(()),
    }
}

/// `MemAvailable` of `/proc/meminfo`.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The folders of the control groups that limit this process's memory, from `/proc/self/cgroup`: its
/// own and all above it. In a container the own group is often mounted as the root.
fn group_folders(groups: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            _ if controllers.split(',').any(|name| name == "memory") => Path::new("/sys/fs/cgroup/memory"),
            _ => continue,
        };
        let own = Path::new(path.trim_start_matches('/'));
        folders.extend(own.ancestors().map(|group| root.join(group)));
    }
    folders
}

/// What a control group's limit leaves, counting the file pages that it can drop as free.
fn group_free(folder: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let statistics = read("memory.stat").unwrap_or_default();
    Some(limit.saturating_sub(used.saturating_sub(droppable(&statistics))))
}

/// File pages in `memory.stat`, of either version.
fn droppable(statistics: &str) -> u64 {
    let value = |name: &str| {
        let line = statistics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse::<u64>().ok())
    };
    let sum = |active: &str, inactive: &str| Some(value(active)?.saturating_add(value(inactive)?));
    sum("total_active_file", "total_inactive_file").or_else(|| sum("active_file", "inactive_file")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_is_available() {
        let meminfo = "MemTotal:  100 kB\nMemFree:  10 kB\nMemAvailable:    42 kB\n";
        assert_eq!(available(meminfo), Some(42 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert!(free_memory().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn limits_of_all_groups_above_count() {
        let second = group_folders("0::/a/b\n");
        let expected = ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup/"];
        assert_eq!(second, expected.map(PathBuf::from));
        let first = group_folders("4:memory:/x\n3:cpu,cpuacct:/y\n");
        assert_eq!(first, ["/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/memory/"].map(PathBuf::from));
    }

    #[test]
    fn a_group_leaves_its_limit_less_what_is_used() {
        let folder = std::env::temp_dir().join(format!("zerohop-group-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        assert_eq!(group_free(&folder), None);
        write("memory.current", "700\n");
        write("memory.max", "max\n");
        assert_eq!(group_free(&folder), None);
        write("memory.max", "1000\n");
        assert_eq!(group_free(&folder), Some(300));
        write("memory.stat", "anon 5\nactive_file 50\ninactive_file 100\n");
        assert_eq!(group_free(&folder), Some(450));
        fs::remove_dir_all(&folder).unwrap();
    }
}
