//! A bare llama-cpp-2 loop: what an answer costs and says without zerohop.
//!
//! The bench measures against it, and the tests compare greedy answers with it.

pub mod embed;

use std::num::NonZeroU32;
use std::path::Path;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;

/// llama.cpp's constant of that name.
const LLAMA_FLASH_ATTN_TYPE_DISABLED: i32 = 0;

/// Tokens of a batch of texts to embed.
const EMBEDDED: u32 = 512;

/// Any failure of the bare loop.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A model in llama-cpp-2's hands.
#[derive(Debug)]
pub struct Bare {
    model: LlamaModel,
    backend: LlamaBackend,
}

impl Bare {
    /// Loads a model. Must not live at the same time as an engine: llama-cpp-2
    /// initialises llama.cpp once per process.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut backend = LlamaBackend::init()?;
        backend.void_logs();
        let model = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default())?;
        Ok(Bare { model, backend })
    }

    /// Greedily continues a prompt given as text, control tokens included, until
    /// the end of the turn or `max_tokens`.
    pub fn continue_text(&self, prompt: &str, max_tokens: usize, threads: i32) -> Result<String, Error> {
        let tokens = self.model.vocab().tokenize(prompt.as_bytes(), true, true);
        let mut run = self.start(&tokens, max_tokens, threads)?;
        let mut bytes = Vec::new();
        for _ in 0..max_tokens {
            let token = run.newest();
            if self.model.vocab().is_eog(token) {
                break;
            }
            bytes.extend(self.model.vocab().token_to_piece(token, false, None));
            run.step()?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Computes a prompt in a context of its own.
    pub fn start(&self, prompt: &[LlamaToken], max_tokens: usize, threads: i32) -> Result<Run<'_>, Error> {
        let cells = u32::try_from(prompt.len() + max_tokens)?;
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(cells))
            // As zerohop does: with flash attention, a prompt's logits depend on
            // how it is cut into batches.
            .with_flash_attention_policy(LLAMA_FLASH_ATTN_TYPE_DISABLED)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let mut context = self.model.new_context(&self.backend, params)?;
        let mut batch = LlamaBatch::new(512, 1);
        for (start, chunk) in (0i32..).step_by(512).zip(prompt.chunks(512)) {
            batch.clear();
            for (position, &token) in (start..).zip(chunk) {
                batch.add(token, position, &[0], position + 1 == i32::try_from(prompt.len())?)?;
            }
            context.decode(&mut batch)?;
        }
        let newest = argmax(context.get_logits_ith(batch.n_tokens() - 1));
        Ok(Run { context, batch, newest, position: i32::try_from(prompt.len())? })
    }

    /// Greedily answers all prompts together with `tokens` tokens each, in one
    /// context: each prompt in a batch of its own, then one token of every answer
    /// in each batch.
    pub fn answer_together(&self, prompts: &[Vec<LlamaToken>], tokens: usize, threads: i32) -> Result<(), Error> {
        let cells: usize = prompts.iter().map(|prompt| prompt.len() + tokens).sum();
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(u32::try_from(cells)?))
            .with_n_seq_max(u32::try_from(prompts.len())?)
            .with_kv_unified(true)
            .with_flash_attention_policy(LLAMA_FLASH_ATTN_TYPE_DISABLED)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let mut context = self.model.new_context(&self.backend, params)?;
        let mut batch = LlamaBatch::new(512, 1);
        let mut newest = Vec::new();
        for (sequence, prompt) in (0i32..).zip(prompts) {
            batch.clear();
            for (position, &token) in (0i32..).zip(prompt) {
                batch.add(token, position, &[sequence], position + 1 == i32::try_from(prompt.len())?)?;
            }
            context.decode(&mut batch)?;
            newest.push(argmax(context.get_logits_ith(batch.n_tokens() - 1)));
        }
        for step in 1..tokens {
            batch.clear();
            for ((sequence, prompt), &token) in (0i32..).zip(prompts).zip(&newest) {
                batch.add(token, i32::try_from(prompt.len() + step - 1)?, &[sequence], true)?;
            }
            context.decode(&mut batch)?;
            for (row, newest) in (0i32..).zip(&mut newest) {
                *newest = argmax(context.get_logits_ith(row));
            }
        }
        Ok(())
    }

    /// A context that makes vectors as the model's file says, of up to 512 tokens and 64 texts at once.
    pub fn embedding_context(&self, threads: i32) -> Result<LlamaContext<'_>, Error> {
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(EMBEDDED))
            .with_n_batch(EMBEDDED)
            .with_n_ubatch(EMBEDDED)
            .with_n_seq_max(64)
            .with_kv_unified(true)
            .with_embeddings(true)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        Ok(self.model.new_context(&self.backend, params)?)
    }

    /// The texts' vectors of length 1, one after another: as many texts in a batch as it has room for,
    /// in their order.
    pub fn embed(&self, context: &mut LlamaContext<'_>, texts: &[String]) -> Result<Vec<f32>, Error> {
        let mut batch = LlamaBatch::new(EMBEDDED as usize, 64);
        let (mut sequence, mut vectors) = (0, Vec::new());
        for text in texts {
            let tokens = self.tokenize(text);
            if batch.n_tokens() + i32::try_from(tokens.len())? > EMBEDDED.cast_signed() || sequence == 64 {
                read_vectors(context, &mut batch, sequence, &mut vectors)?;
                sequence = 0;
            }
            for (position, &token) in (0i32..).zip(&tokens) {
                batch.add(token, position, &[sequence], true)?;
            }
            sequence += 1;
        }
        read_vectors(context, &mut batch, sequence, &mut vectors)?;
        Ok(vectors)
    }

    /// The prompt's tokens.
    pub fn tokenize(&self, prompt: &str) -> Vec<LlamaToken> {
        self.model.vocab().tokenize(prompt.as_bytes(), true, true)
    }
}

/// Computes a batch of texts, and empties it.
fn read_vectors(
    context: &mut LlamaContext<'_>,
    batch: &mut LlamaBatch<'_>,
    count: i32,
    vectors: &mut Vec<f32>,
) -> Result<(), Error> {
    context.clear_kv_cache();
    context.encode(batch)?;
    batch.clear();
    for sequence in 0..count {
        let vector = context.embeddings_seq_ith(sequence)?;
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vectors.extend(vector.iter().map(|number| number / length));
    }
    Ok(())
}

/// One greedy generation.
#[derive(Debug)]
pub struct Run<'a> {
    context: LlamaContext<'a>,
    batch: LlamaBatch<'static>,
    newest: LlamaToken,
    position: i32,
}

impl Run<'_> {
    /// The token chosen last.
    pub fn newest(&self) -> LlamaToken {
        self.newest
    }

    /// Computes that token and chooses the next.
    pub fn step(&mut self) -> Result<(), Error> {
        self.batch.clear();
        self.batch.add(self.newest, self.position, &[0], true)?;
        self.context.decode(&mut self.batch)?;
        self.position += 1;
        self.newest = argmax(self.context.get_logits_ith(0));
        Ok(())
    }
}

fn argmax(logits: &[f32]) -> LlamaToken {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, &logit) in (0..).zip(logits) {
        if logit > best.1 {
            best = (token, logit);
        }
    }
    LlamaToken(best.0)
}
