//! What a model computes: text or vectors.

use super::gguf::{Gguf, Value};

/// What a model computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelKind {
    /// Text, token by token.
    Generative,
    /// A vector for each text.
    Embedding {
        /// How the vectors of a text's tokens become one.
        pooling: Pooling,
        /// Whether a token's vector depends on the tokens before it alone, so that a long text can be
        /// computed in slices.
        causal: bool,
    },
    /// How well a document answers a query.
    Ranking {
        /// As for vectors.
        causal: bool,
        /// What the model's output is.
        score: RankScore,
    },
    /// Something that this engine does not serve; the text says what.
    Unserved(&'static str),
}

/// What a model that ranks texts puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RankScore {
    /// One number, greater for a better document.
    Logit,
    /// The probability that the document is good.
    Probability,
}

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// Their mean.
    Mean,
    /// The first token's.
    Cls,
    /// The last token's.
    Last,
}

impl ModelKind {
    /// The kind that the file's metadata states; `is_decoder` says whether the model is a decoder
    /// alone.
    pub(crate) fn of(gguf: &Gguf, is_decoder: bool) -> Self {
        let architecture = gguf.architecture().unwrap_or_default();
        let causal = gguf.metadata.get(&format!("{architecture}.attention.causal"));
        let causal = causal.is_none_or(|value| *value != Value::Bool(false));
        // llama.cpp's `llama_pooling_type`.
        let pooling = match gguf.get_u64(&format!("{architecture}.pooling_type")) {
            Some(1) => Pooling::Mean,
            Some(2) => Pooling::Cls,
            Some(3) => Pooling::Last,
            Some(4) if is_decoder => return ModelKind::ranking(gguf, architecture, causal),
            _ if is_decoder && causal => return ModelKind::Generative,
            _ => return ModelKind::Unserved("neither generates text token by token nor says how to make vectors"),
        };
        if !is_decoder {
            return ModelKind::Unserved("has an encoder before its decoder");
        }
        ModelKind::Embedding { pooling, causal }
    }

    /// A model with a classifier over whole texts. llama.cpp computes without one too, and then what it
    /// puts out means nothing.
    fn ranking(gguf: &Gguf, architecture: &str, causal: bool) -> Self {
        let outputs = |name: &str| {
            let head = gguf.tensors.iter().find(|tensor| tensor.name == name)?;
            Some(head.dims.get(1).copied().unwrap_or(1))
        };
        // Some have one layer, under the name of the first of two.
        let outputs = outputs("cls.output.weight").or_else(|| outputs("cls.weight"));
        let labels = match gguf.metadata.get(&format!("{architecture}.classifier.output_labels")) {
            Some(Value::Array { len, .. }) => *len,
            _ => 1,
        };
        match (outputs, architecture) {
            (None, _) => ModelKind::Unserved("ranks texts, but its file has no classifier"),
            (Some(outputs), _) if outputs != labels => {
                ModelKind::Unserved("has a classifier of another size than its file says")
            }
            // llama.cpp normalises their answers, "yes" and "no".
            (Some(2), "qwen3" | "qwen3vl") => ModelKind::Ranking { causal, score: RankScore::Probability },
            (Some(1), _) => ModelKind::Ranking { causal, score: RankScore::Logit },
            _ => ModelKind::Unserved("sorts texts into several classes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(pairs: &[(&str, Value)], is_decoder: bool) -> ModelKind {
        let architecture = ("general.architecture", Value::String("a".to_owned()));
        let metadata = pairs.iter().chain([&architecture]).map(|(key, value)| ((*key).to_owned(), value.clone()));
        let gguf = Gguf {
            version: 3,
            metadata: metadata.collect(),
            tensors: Vec::new(),
            alignment: 32,
            data_offset: 0,
            data_len: 0,
        };
        ModelKind::of(&gguf, is_decoder)
    }

    #[test]
    fn the_file_says_what_its_model_computes() {
        assert_eq!(kind(&[], true), ModelKind::Generative);
        assert_eq!(kind(&[("a.pooling_type", Value::U32(0))], true), ModelKind::Generative);
        let last = ModelKind::Embedding { pooling: Pooling::Last, causal: true };
        assert_eq!(kind(&[("a.pooling_type", Value::U32(3))], true), last);
        let bidirectional = ("a.attention.causal", Value::Bool(false));
        let mean = ModelKind::Embedding { pooling: Pooling::Mean, causal: false };
        assert_eq!(kind(&[bidirectional.clone(), ("a.pooling_type", Value::U32(1))], true), mean);
        for (pairs, is_decoder) in [
            (vec![bidirectional], true),
            (vec![("a.pooling_type", Value::U32(4))], true),
            (vec![("a.pooling_type", Value::U32(4))], false),
            (vec![("a.pooling_type", Value::U32(1))], false),
            (vec![], false),
        ] {
            assert!(matches!(kind(&pairs, is_decoder), ModelKind::Unserved(_)), "{pairs:?}");
        }
    }
}
