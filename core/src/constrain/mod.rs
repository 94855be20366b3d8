//! Holding generated text to a grammar: JSON schemas, regular expressions, Lark.
//!
//! [`schema`] checks a caller's schema and says what is to be enforced, [`lark`]
//! writes grammars, [`TokenEnv`] compiles them for a model's vocabulary, and a
//! [`Constraint`] follows one sequence through one. Only this module names
//! llguidance.

mod grammar;
pub(crate) mod lark;
pub(crate) mod schema;
mod tokens;

#[cfg(test)]
mod tests;

pub(crate) use grammar::{Constraint, Grammar, TokenEnv, WeakTokenEnv};
