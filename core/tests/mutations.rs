//! Damaged model files that pass the gate: loaded, and eight tokens computed with each, in child
//! processes, since what is looked for would end this one.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::mutate::{Layout, Random};
use common::{count, greedy, model};
use zerohop::{Engine, ModelOptions};

/// Tells the test that it is the child: file, folder for its copy and journal, first seed, and how
/// many files that pass the gate to load.
const CHILD: &str = "ZEROHOP_TEST_MUTATIONS";
const TEST: &str = "files_that_pass_the_gate_load_or_fail_cleanly";
/// Of the files, those that are adapters for `tiny-llama`.
const ADAPTERS: [&str; 2] = ["tiny/tiny-lora.gguf", "tiny/tiny-lora-other.gguf"];
/// What no load of a damaged tiny model takes by far.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn files_that_pass_the_gate_load_or_fail_cleanly() {
    if let Ok(task) = std::env::var(CHILD) {
        return run_child(&task);
    }
    let mut faults = Vec::new();
    for (file, quick, full) in [
        ("tiny/tiny-llama.gguf", 20, 500),
        ("tiny/tiny-gemma3.gguf", 20, 450),
        ("tiny/tiny-mamba.gguf", 20, 450),
        ("tiny/tiny-spm.gguf", 20, 450),
        (ADAPTERS[0], 20, 450),
        (ADAPTERS[1], 20, 450),
        ("smollm2-135m-instruct-q4_1.gguf", 2, 100),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 1, 50),
    ] {
        faults.extend(load_damaged(&model(file), count(quick, full)));
    }
    assert!(faults.is_empty(), "{} damaged files ended the process:\n{}", faults.len(), faults.join("\n"));
}

/// Loads so many damaged copies of a file that pass the gate; gives back what ended the process.
fn load_damaged(file: &Path, loads: usize) -> Vec<String> {
    let folder = std::env::temp_dir().join(format!("zerohop-mutations-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut faults = Vec::new();
    let (mut seed, mut left) = (first_seed(), loads);
    while left > 0 && faults.len() < 20 {
        let journal = folder.join("journal");
        File::create(&journal).unwrap();
        let task = format!("{}|{}|{seed}|{left}", file.display(), folder.display());
        let child = Command::new(std::env::current_exe().unwrap())
            .args([TEST, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, task)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = watch(child, &journal);
        let lines = fs::read_to_string(&journal).unwrap();
        left -= lines.lines().filter(|line| line.starts_with("loaded")).count().min(left);
        let Some(reason) = end else { break };
        let last = lines.lines().rfind(|line| line.starts_with("begin")).expect("the child has begun");
        seed = last.split(' ').nth(1).unwrap().parse::<u64>().unwrap() + 1;
        faults.push(format!("{}: {last}: {reason}", file.display()));
        left = left.saturating_sub(1);
    }
    fs::remove_dir_all(&folder).unwrap();
    faults
}

/// Where the seeds begin: elsewhere, to try others.
fn first_seed() -> u64 {
    std::env::var("ZEROHOP_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Waits for the child; `None` when it has ended well.
fn watch(mut child: Child, journal: &Path) -> Option<String> {
    let (mut size, mut since) = (0, Instant::now());
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (!status.success()).then(|| status.to_string());
        }
        let now = fs::metadata(journal).map_or(0, |metadata| metadata.len());
        if now != size {
            (size, since) = (now, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return Some("it hung".to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn run_child(task: &str) {
    let fields: Vec<&str> = task.split('|').collect();
    let (source, folder) = (PathBuf::from(fields[0]), PathBuf::from(fields[1]));
    let (mut seed, mut left): (u64, u64) = (fields[2].parse().unwrap(), fields[3].parse().unwrap());
    limit_memory();
    let is_adapter = ADAPTERS.iter().any(|adapter| source.ends_with(adapter));
    let path = folder.join("damaged.gguf");
    fs::copy(&source, &path).unwrap();
    let good = fs::read(&source).unwrap();
    let layout = Layout::of(&good);
    let mut journal = OpenOptions::new().append(true).open(folder.join("journal")).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    while left > 0 {
        let edits = layout.edits(&good, &mut Random::new(seed));
        let shown: Vec<String> = edits.iter().map(|edit| format!("{}={:x?}", edit.at, edit.bytes)).collect();
        writeln!(journal, "begin {seed} {}", shown.join(" ")).unwrap();
        for edit in &edits {
            file.write_all_at(&edit.bytes, edit.at as u64).unwrap();
        }
        let options = if is_adapter {
            ModelOptions::new(model("tiny/tiny-llama.gguf")).adapter(&path, 1.0)
        } else {
            ModelOptions::new(&path)
        };
        if let Some(outcome) = load_and_decode(options) {
            writeln!(journal, "loaded {seed} {outcome}").unwrap();
            left -= 1;
        }
        for edit in &edits {
            file.write_all_at(&good[edit.at..edit.at + edit.bytes.len()], edit.at as u64).unwrap();
        }
        seed += 1;
    }
}

/// `None` when the gate has refused the file.
fn load_and_decode(options: ModelOptions) -> Option<String> {
    let options = options.context_length(256).parallel(2).threads(2);
    let engine = match Engine::builder().model("m", options).build() {
        Ok(engine) => engine,
        // The gate's errors say what kind of fault they are.
        Err(error) if error.code().is_some() => return None,
        Err(error) => return Some(format!("refused: {error}")),
    };
    Some(match engine.chat().create(&greedy("Hello, 1 2 3!", 8)) {
        Ok(reply) => format!("answered: {:?}", reply.text()),
        Err(error) => format!("failed: {error}"),
    })
}

/// What asks for more fails as if there were no more, and does not disturb the machine.
fn limit_memory() {
    let limit = libc::rlimit { rlim_cur: 8 << 30, rlim_max: 8 << 30 };
    // SAFETY: the struct is live for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    // A crash is expected here and leaves no trace on the disk.
    let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core) }, 0);
}
