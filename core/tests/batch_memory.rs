//! The memory that a batch takes. A file of its own, because other tests would count too.

mod common;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex};

use common::{count, engine, resident_kib, tiny, use_one_arena};
use serde_json::json;
use zerohop::BatchOptions;

#[test]
fn memory_does_not_grow_with_the_file() {
    use_one_arena();
    // BA6: 20,000 lines of 2 KiB are 40 MiB, of which a few are in memory at once.
    let lines = count(4_000, 20_000);
    let engine = engine(tiny().parallel(16));
    let padding = "x".repeat(2048);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 1, "user": padding});
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.jsonl"), folder.path().join("out.jsonl"));
    let mut file = BufWriter::new(File::create(&input).unwrap());
    for number in 0..lines {
        let id = number.to_string();
        let line = json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body});
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let measured = sizes.clone();
    let options = BatchOptions::new().progress(move |counts| {
        if counts.completed > 500 {
            measured.lock().unwrap().push(resident_kib());
        }
        true
    });
    assert_eq!(engine.batch(&input, &output, &options).unwrap().completed, lines as u64);
    let sizes = sizes.lock().unwrap();
    let (first, last) = (*sizes.first().unwrap(), *sizes.last().unwrap());
    assert!(last < first + 8 * 1024, "{first} KiB at first, {last} KiB at last");
}
