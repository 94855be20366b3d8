//! The module on the vocabularies of real models, without inference.

mod following;
mod refusals;
mod rules;
mod walks;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::TokenEnv;
use crate::backend::{Layout, LoadOptions, Model};

/// A model's vocabulary with its environment, loaded once.
pub(super) struct Loaded {
    model: Arc<Model>,
    pub(super) env: TokenEnv,
}

impl Loaded {
    fn text(&self, tokens: &[i32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| self.model.vocab().piece(*token)).copied().collect();
        String::from_utf8(bytes).expect("grammars allow UTF-8 only")
    }

    /// Whether a Lark expression allows a text as a whole.
    fn follows(&self, rule: &str, text: &str) -> bool {
        let mut constraint = self.env.compile(&format!("start: {rule}")).unwrap().start().unwrap();
        let tokens = self.model.vocab().tokenize_short(text).unwrap();
        tokens.into_iter().chain([self.ends()[0]]).all(|token| constraint.accept(token).is_ok())
            && constraint.is_finished()
    }

    fn ends(&self) -> Vec<i32> {
        let size = i32::try_from(self.model.vocab().len()).unwrap();
        (0..size).filter(|token| self.model.vocab().is_end_of_generation(*token)).collect()
    }
}

fn load(name: &str) -> Loaded {
    let cache = || Some(PathBuf::from(std::env::var_os("ZEROHOP_CACHE")?).join("models"));
    let home = || Some(std::env::home_dir()?.join(".cache/zerohop/models"));
    let folder = std::env::var_os("ZEROHOP_TEST_MODELS").map(PathBuf::from).or_else(cache).or_else(home);
    let path = folder.unwrap_or_default().join(name);
    assert!(path.exists(), "{} is missing: run `make models`", path.display());
    let options = LoadOptions { layout: Layout::host(), mmap: true, repack: false, progress: None };
    let model = Arc::new(Model::load(&path, options).expect("the test model loads"));
    let env = TokenEnv::new(&model).expect("the vocabulary serves");
    Loaded { model, env }
}

/// Qwen's vocabulary: byte-level BPE, several ends of generation.
fn qwen() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| load("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"))
}

/// `SmolLM2`'s vocabulary: a smaller byte-level BPE.
pub(super) fn smollm2() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| load("smollm2-135m-instruct-q4_1.gguf"))
}

/// A generated `SentencePiece` vocabulary, which puts a space before texts.
fn tiny_spm() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| load("tiny/tiny-spm.gguf"))
}
