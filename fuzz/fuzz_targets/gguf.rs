//! Model files and adapters: a byte that says how the file is used, and its header.
#![no_main]

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use zerohop::{Engine, ErrorKind, ModelOptions, inspect};
use zerohop_fuzz::{greedy, prepare, tiny};

/// More than the tensors of any of the first inputs need.
const WITH_DATA: u64 = 1 << 20;

static FOLDER: OnceLock<TempDir> = OnceLock::new();

fuzz_target!(
    init: {
        prepare();
        // In memory.
        FOLDER.set(tempfile::tempdir_in("/dev/shm").unwrap()).unwrap();
    },
    |input: &[u8]| {
        let Some((&how, header)) = input.split_first() else { return };
        let path = FOLDER.get().unwrap().path().join("model.gguf");
        let mut file = File::create(&path).unwrap();
        file.write_all(header).unwrap();
        // Weights that are zero take no room, in the input neither.
        if how & 1 == 0 {
            file.set_len(WITH_DATA.max(header.len() as u64)).unwrap();
        }
        let options = if how & 2 == 0 { ModelOptions::new(&path).threads(1) } else { tiny().adapter(&path, 1.0) };
        let options = options.context_length(256).parallel(2).mmap(how & 4 == 0);
        let inspected = inspect(options.clone());
        let engine = match Engine::builder().model("m", options).build() {
            Ok(engine) => engine,
            Err(error) => {
                use ErrorKind::{InvalidArgument, InvalidModel, ModelFile, Unavailable};
                assert!(matches!(error.kind(), InvalidArgument | InvalidModel | ModelFile | Unavailable), "{error}");
                return;
            }
        };
        inspected.expect("what is loaded can be described");
        if let Err(error) = engine.chat().create(&greedy("Hello", 2)) {
            // Numbers in a header can make all others infinite.
            let is_noise = error.message() == "the model computed no usable probabilities";
            assert!(is_noise || error.status() == Some(400), "{error}");
        }
    }
);
