//! What the operating system says of this process, under the names that every Prometheus client uses. Linux tells it in
//! `/proc/self`; elsewhere these metrics are missing.

use std::fs;

/// Clock ticks in a second: a constant of Linux's interface to programs, whatever its kernel counts by.
const TICKS: f64 = 100.0;

/// Brings the metrics of the process up to date.
pub fn measure() {
    // Behind the name in parentheses, which may hold anything.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest)
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or_default())
        .collect();
    // Numbered from 1 in proc(5), where the third is the first behind the name.
    let field = |number: usize| fields.get(number - 3).copied();
    if let (Some(user), Some(system)) = (field(14), field(15)) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds of a process"
        )]
        metrics::counter!("process_cpu_seconds_total").absolute(((user + system) / TICKS) as u64);
    }
    if let Some(bytes) = field(23) {
        metrics::gauge!("process_virtual_memory_bytes").set(bytes);
    }
    if let Some(threads) = field(20) {
        metrics::gauge!("process_threads").set(threads);
    }
    let text = |file: &str| fs::read_to_string(file).unwrap_or_default();
    // In kibibytes, whatever the size of a page is.
    if let Some(resident) = number_after(&text("/proc/self/status"), "VmRSS:") {
        metrics::gauge!("process_resident_memory_bytes").set(resident * 1024.0);
    }
    if let Some(most) = number_after(&text("/proc/self/limits"), "Max open files") {
        metrics::gauge!("process_max_fds").set(most);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        #[expect(clippy::cast_precision_loss, reason = "a process has no 2^52 files")]
        metrics::gauge!("process_open_fds").set(open.count() as f64);
    }
    if let (Some(ticks), Some(boot)) = (field(22), number_after(&text("/proc/stat"), "btime")) {
        metrics::gauge!("process_start_time_seconds").set(boot + ticks / TICKS);
    }
}

/// The first number behind a word that a line begins with.
fn number_after(text: &str, word: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_behind_its_word() {
        let text = "VmPeak:\t 9 kB\nVmRSS:\t   1234 kB\nMax open files            1024  4096  files\n";
        assert_eq!(number_after(text, "VmRSS:"), Some(1234.0));
        assert_eq!(number_after(text, "Max open files"), Some(1024.0));
        assert_eq!(number_after(text, "VmSwap:"), None);
        assert_eq!(number_after("Max open files  unlimited", "Max open files"), None);
    }
}
