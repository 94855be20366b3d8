//! Chat templates: the source, a NUL, and the body of a request that is put into it.
#![no_main]

use http::Request;
use libfuzzer_sys::{Corpus, fuzz_target};
use zerohop::{Engine, ErrorKind};
use zerohop_fuzz::{TIME_LIMIT, answer, prepare, tiny};

fuzz_target!(init: prepare(), |input: &[u8]| -> Corpus {
    let Some(end) = input.iter().position(|byte| *byte == 0) else { return Corpus::Reject };
    let (source, body) = (String::from_utf8_lossy(&input[..end]), &input[end + 1..]);
    let options = tiny().chat_template(source).context_length(2048);
    match Engine::builder().model("m", options).timeout(TIME_LIMIT).build() {
        Ok(engine) => answer(&engine, &Request::post("/v1/chat/completions").body(body.to_vec()).unwrap()),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::InvalidModel | ErrorKind::InvalidArgument), "{error}");
        }
    }
    Corpus::Keep
});
