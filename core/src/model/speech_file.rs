//! From the path of a speech model to one that can be used.

use std::sync::Arc;

use super::file::MappedFile;
use super::gate;
use super::load::ModelInfo;
use super::offload;
use super::options::ModelOptions;
use super::speech::{self, SpeechHeader};
use super::weights::FileIdentity;
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::SpeechModel;

/// A speech model's file that was found and checked.
#[derive(Debug)]
pub(super) struct SpeechFile {
    pub(super) identity: FileIdentity,
    header: SpeechHeader,
    size: u64,
    created: u64,
}

/// A speech model with everything that requests to it need.
#[derive(Debug)]
pub(crate) struct SpokenModel {
    pub(crate) info: ModelInfo,
    pub(crate) backend: Arc<SpeechModel>,
}

impl SpeechFile {
    pub(super) fn check(options: &ModelOptions, mapped: &MappedFile) -> Result<Self> {
        let refused = |error: speech::SpeechFileError| {
            Error::new(ErrorKind::InvalidModel, format!("{}: {error}", options.path.display()))
                .with_code(error.code())
                .with_source(error)
        };
        let header = speech::check(mapped.bytes()).map_err(refused)?;
        options.refuse_text_options("a speech model")?;
        offload::speech_uses_gpu(options)?;
        let identity = mapped.identity.clone();
        Ok(SpeechFile { identity, header, size: mapped.size, created: mapped.created })
    }

    /// The bytes that the model takes at least.
    pub(super) fn memory_need(&self, options: &ModelOptions) -> u64 {
        let states = u64::from(options.speech_states()).saturating_mul(self.header.state_bytes());
        self.size.saturating_add(states)
    }

    pub(super) fn check_memory(&self, options: &ModelOptions) -> Result<()> {
        gate::check_free_memory(self.memory_need(options), || {
            format!("{}: no memory for the speech model", options.path.display())
        })
    }

    /// Loads the model that the options name.
    pub(super) fn load(id: &str, options: &ModelOptions) -> Result<SpokenModel> {
        // What is checked is what is loaded, whatever has become of the file since it was looked at.
        let mapped = MappedFile::open(&options.path)?;
        let file = SpeechFile::check(options, &mapped)?;
        if !options.report(0.0) {
            return Err(Error::loading_stopped(&options.path));
        }
        let uses_gpu = offload::speech_uses_gpu(options)?;
        let loaded = SpeechModel::load(mapped.bytes(), uses_gpu).or_else(|error| {
            if !uses_gpu || options.gpu.needs_gpu() {
                return Err(error);
            }
            let path = options.path.display();
            tracing::warn!(target: "zerohop", %error, "{path}: computed on the CPU: no GPU can take it");
            SpeechModel::load(mapped.bytes(), false)
        });
        let backend = loaded
            .map_err(|error| Error::new(error.kind(), format!("{}: {}", options.path.display(), error.message())))?;
        if !options.report(1.0) {
            return Err(Error::loading_stopped(&options.path));
        }
        Ok(SpokenModel { info: file.describe(id, options), backend: Arc::new(backend) })
    }

    /// What the model is.
    pub(super) fn describe(&self, id: &str, options: &ModelOptions) -> ModelInfo {
        ModelInfo {
            id: id.to_owned(),
            aliases: options.aliases.clone(),
            path: options.path.clone(),
            file_size: self.size,
            architecture: "whisper".to_owned(),
            name: None,
            parameters: self.header.parameters,
            quantization: self.header.quantization().map(str::to_owned),
            trained_context_length: speech::TEXT_CONTEXT.unsigned_abs(),
            context_length: speech::TEXT_CONTEXT.unsigned_abs(),
            vocabulary_size: usize::try_from(self.header.vocabulary).unwrap_or_default(),
            has_chat_template: false,
            embedding_dimensions: None,
            adapters: Vec::new(),
            draft_model: None,
            placement: Vec::new(),
            batch_variance: None,
            created: self.created,
            loaded: true,
        }
    }
}
