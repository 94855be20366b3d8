//! Compiled grammars and the state of one sequence inside one.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::{Matcher, ParserFactory, TokenParser, panic_utils};
use lru::LruCache;
use parking_lot::Mutex;
use toktrie::{InferenceCapabilities, SimpleVob, TokenId};

use super::tokens;
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, Token};

/// How many compiled grammars a model keeps: more than a request has tools, each of which has its own.
const CACHED_GRAMMARS: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// How many bytes of lexer states the kept grammars may hold together.
const CACHED_BYTES: usize = 256 << 20;

/// The longest grammar that is compiled, in bytes.
const MAX_SOURCE: usize = 8 << 20;

/// Stack of the compiling thread. llguidance walks rules and properties
/// recursively; the pages are only touched when used.
const COMPILE_STACK: usize = 256 << 20;

/// What a grammar may cost. A caller's schema, regex or Lark text is not to be
/// trusted: too costly is an error of the request (SO9).
fn limits() -> ParserLimits {
    ParserLimits {
        // About 1.5 kB each.
        max_lexer_states: 50_000,
        // Errors go to callers, who know their own grammar.
        verbose_errors: false,
        ..ParserLimits::default()
    }
}

/// Compiles grammars for one model's vocabulary. Cheap to clone.
///
/// Built once a model; that takes a part of a second, since the vocabulary is
/// sorted into tries.
#[derive(Clone)]
pub(crate) struct TokenEnv(Arc<Compiler>);

/// A [`TokenEnv`] for those who must not keep a model loaded: it keeps the
/// vocabulary, and with it the model.
#[derive(Clone, Default)]
pub(crate) struct WeakTokenEnv(Weak<Compiler>);

impl fmt::Debug for WeakTokenEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakTokenEnv").finish_non_exhaustive()
    }
}

impl WeakTokenEnv {
    /// As [`TokenEnv::accepts`]; `false` when the model is gone.
    pub(crate) fn accepts(&self, rule: &str, text: &str) -> bool {
        self.0.upgrade().is_some_and(|compiler| TokenEnv(compiler).accepts(rule, text))
    }
}

struct Compiler {
    factory: ParserFactory,
    cache: Mutex<LruCache<String, Grammar>>,
}

impl fmt::Debug for TokenEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEnv").finish_non_exhaustive()
    }
}

impl TokenEnv {
    pub(crate) fn new(model: &Arc<backend::Model>) -> Result<Self> {
        let capabilities = InferenceCapabilities { ff_tokens: true, ..InferenceCapabilities::default() };
        let mut factory = quietly(|| {
            ParserFactory::new(&tokens::environment(model)?, capabilities, &SlicedBiasComputer::general_slices())
                .map_err(|error| Error::internal(format!("the vocabulary cannot be used for grammars: {error}")))
        })
        .unwrap_or_else(|| Err(Error::internal("the vocabulary cannot be used for grammars")))?;
        factory.quiet();
        *factory.limits_mut() = limits();
        Ok(TokenEnv(Arc::new(Compiler { factory, cache: Mutex::new(LruCache::new(CACHED_GRAMMARS)) })))
    }

    /// Compiles a grammar in llguidance's Lark dialect, or finds it compiled
    /// (SO15). The grammar's faults, too great a cost among them, are a 400
    /// without `param`: the caller knows where the text came from.
    pub(crate) fn compile(&self, lark: &str) -> Result<Grammar> {
        if let Some(grammar) = self.cached(lark) {
            return Ok(grammar);
        }
        if lark.len() > MAX_SOURCE {
            return Err(too_complex(format!("it is longer than {} MiB", MAX_SOURCE >> 20)));
        }
        let parser = thread::scope(|scope| {
            thread::Builder::new()
                .name("zerohop-grammar".to_owned())
                .stack_size(COMPILE_STACK)
                .spawn_scoped(scope, || self.parse(lark))
                .map_err(|error| {
                    Error::new(ErrorKind::Unavailable, "no memory for compiling a grammar").with_source(error)
                })?
                .join()
                .unwrap_or_else(|_| Err(too_complex("llguidance failed")))
        })?;
        let grammar = Grammar(Arc::new(Compiled { hash: hash(lark), parser, broken: AtomicBool::new(false) }));
        self.keep(lark, &grammar);
        Ok(grammar)
    }

    pub(crate) fn downgrade(&self) -> WeakTokenEnv {
        WeakTokenEnv(Arc::downgrade(&self.0))
    }

    /// Whether a text is what a Lark expression stands for. `false` also where the
    /// expression cannot be compiled.
    fn accepts(&self, rule: &str, text: &str) -> bool {
        let follow = || -> Result<bool> {
            let mut constraint = self.compile(&format!("start: {rule}\n"))?.start()?;
            let tokens = self.0.factory.tok_env().tokenize(text);
            // Asked first, because a token that does not fit is an error.
            if constraint.guarded(|matcher| matcher.validate_tokens(&tokens))? < tokens.len() {
                return Ok(false);
            }
            constraint.guarded(|matcher| matcher.consume_tokens(&tokens))?;
            Ok(constraint.is_finished())
        };
        follow().unwrap_or(false)
    }

    fn parse(&self, lark: &str) -> Result<TokenParser> {
        let refuse = |error: anyhow::Error| Error::new(ErrorKind::InvalidRequest, reason(&format!("{error:#}")));
        quietly(|| {
            let grammar = TopLevelGrammar::from_lark(lark.to_owned());
            let mut parser = self.0.factory.create_parser(grammar).map_err(refuse)?;
            parser.start_without_prompt();
            // Some grammars show what they cost in their masks only. The first is
            // computed here, where nobody else waits for it; sequences share what
            // it has worked out.
            Matcher::new(Ok(parser.clone())).compute_mask_or_eos().map_err(refuse)?;
            Ok(parser)
        })
        .unwrap_or_else(|| Err(too_complex("llguidance failed")))
    }

    fn cached(&self, lark: &str) -> Option<Grammar> {
        let mut cache = self.0.cache.lock();
        let grammar = cache.get(lark)?.clone();
        if grammar.0.broken.load(Ordering::Relaxed) {
            cache.pop(lark);
            return None;
        }
        Some(grammar)
    }

    /// Keeps a compiled grammar, and lets the oldest go while all together are
    /// too large; their states grow as they are used.
    fn keep(&self, lark: &str, grammar: &Grammar) {
        let mut cache = self.0.cache.lock();
        cache.put(lark.to_owned(), grammar.clone());
        while cache.len() > 1
            && cache.iter().map(|(source, kept)| source.len() + kept.bytes()).sum::<usize>() > CACHED_BYTES
        {
            cache.pop_lru();
        }
    }
}

/// A compiled grammar. Cheap to clone; all sequences inside it share what has
/// been worked out about its lexemes.
#[derive(Clone)]
pub(crate) struct Grammar(Arc<Compiled>);

struct Compiled {
    hash: u64,
    /// A parser at the start of the text, to be cloned.
    parser: TokenParser,
    /// Whether a sequence has failed inside llguidance, which may leave what
    /// they share unusable.
    broken: AtomicBool,
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar").field("hash", &self.0.hash).finish_non_exhaustive()
    }
}

impl Grammar {
    /// The same for the same source, within this process.
    #[cfg(test)]
    pub(crate) fn hash(&self) -> u64 {
        self.0.hash
    }

    /// The state of a sequence that has no tokens yet.
    pub(crate) fn start(&self) -> Result<Constraint> {
        let matcher = quietly(|| Matcher::new(Ok(self.0.parser.clone())))
            .ok_or_else(|| Error::internal("a grammar could not be started"))?;
        Ok(Constraint { grammar: self.clone(), matcher, mask: None })
    }

    fn bytes(&self) -> usize {
        // The statistics are behind a lock that a failed sequence has poisoned.
        if self.0.broken.load(Ordering::Relaxed) {
            return 0;
        }
        quietly(|| self.0.parser.parser.lexer_stats().num_bytes).unwrap_or(0)
    }
}

/// Where one sequence is inside its grammar.
pub(crate) struct Constraint {
    grammar: Grammar,
    matcher: Matcher,
    /// The tokens allowed next, once computed.
    mask: Option<SimpleVob>,
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Constraint").field("grammar", &self.grammar).finish_non_exhaustive()
    }
}

impl Constraint {
    /// Computes which tokens are allowed next. Takes its time, so it is best
    /// called while the model computes; the answer is kept until
    /// [`accept`](Self::accept).
    pub(crate) fn compute_mask(&mut self) -> Result<()> {
        if self.mask.is_none() {
            let mask = self.guarded(Matcher::compute_mask_or_eos)?;
            self.mask = Some(mask);
        }
        Ok(())
    }

    /// Takes the tokens that are not allowed next out of the choice. The ends of
    /// generation stay in it exactly where the grammar may end.
    pub(crate) fn apply(&mut self, logits: &mut [f32]) -> Result<()> {
        self.compute_mask()?;
        let words = self.mask.as_ref().map(SimpleVob::as_slice).unwrap_or_default();
        for (index, chunk) in logits.chunks_mut(32).enumerate() {
            match words.get(index).copied().unwrap_or(0) {
                0 => chunk.fill(f32::NEG_INFINITY),
                u32::MAX => {}
                word => {
                    for (bit, logit) in chunk.iter_mut().enumerate() {
                        if word >> bit & 1 == 0 {
                            *logit = f32::NEG_INFINITY;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on by one token.
    pub(crate) fn accept(&mut self, token: Token) -> Result<()> {
        self.mask = None;
        let token = TokenId::try_from(token).map_err(|_| Error::internal(format!("there is no token {token}")))?;
        self.guarded(|matcher| {
            // A finished matcher takes no token, but an end of generation is
            // what it has been waiting for.
            if matcher.is_stopped() && matcher.tok_env()?.tok_trie().eos_tokens().contains(&token) {
                return Ok(());
            }
            matcher.consume_token(token)
        })
    }

    /// The tokens that must come next, as the model's tokeniser would cut them.
    /// They still go through [`accept`](Self::accept), one by one.
    pub(crate) fn forced(&mut self) -> Result<Vec<Token>> {
        if self.is_finished() {
            return Ok(Vec::new());
        }
        let tokens = self.guarded(|matcher| Ok(matcher.compute_ff_tokens()))?;
        Ok(tokens.into_iter().map(TokenId::cast_signed).collect())
    }

    /// Whether only the end may follow.
    pub(crate) fn is_finished(&self) -> bool {
        self.matcher.is_stopped()
    }

    fn guarded<T>(&mut self, run: impl FnOnce(&mut Matcher) -> anyhow::Result<T>) -> Result<T> {
        let outcome = quietly(|| run(&mut self.matcher));
        let failed = match outcome {
            Some(Ok(value)) if !self.matcher.is_error() => return Ok(value),
            Some(Ok(_)) => self.matcher.get_error().unwrap_or_default(),
            Some(Err(error)) => error.to_string(),
            None => "llguidance failed".to_owned(),
        };
        self.grammar.0.broken.store(true, Ordering::Relaxed);
        Err(Error::new(ErrorKind::InvalidRequest, format!("the grammar cannot be followed: {}", reason(&failed))))
    }
}

// Grammars are shared between threads; sequences move to the one that computes.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn moves<T: Send>() {}
    shared::<TokenEnv>();
    shared::<Grammar>();
    moves::<Constraint>();
};

/// Runs code of llguidance, which may panic on grammars that nobody has tried.
/// Its own way of catching keeps the host's panic hook from printing that; for
/// all other panics it leaves the hook as it is.
fn quietly<T>(run: impl FnOnce() -> T) -> Option<T> {
    panic_utils::catch_unwind(AssertUnwindSafe(|| Ok(run()))).ok()
}

fn too_complex(reason: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("the grammar is too complex: {reason}"))
}

/// llguidance's reason, without the backtrace and the state that it may append.
fn reason(error: &str) -> String {
    const LONGEST: usize = 500;
    let error = error.split("\n<").next().unwrap_or(error).trim();
    let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
    match error.split_once("panic: ") {
        Some((_, message)) => format!("llguidance failed: {}", short(message)),
        None => short(error),
    }
}

fn hash(source: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::smollm2;
    use super::Matcher;

    #[test]
    fn a_panic_in_llguidance_costs_one_sequence_and_one_compilation() {
        // SO9
        let loaded = smollm2();
        let lark = "start: /[a-f]{7}/";
        let mut constraint = loaded.env.compile(lark).unwrap().start().unwrap();
        let error = constraint.guarded(Matcher::test_trigger_lexer_error).unwrap_err();
        assert_eq!(error.message(), "the grammar cannot be followed: llguidance failed: synthetic error");
        assert!(constraint.compute_mask().is_err());
        loaded.env.compile(lark).unwrap().start().unwrap().compute_mask().unwrap();
    }
}
