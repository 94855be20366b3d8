//! The models as the API lists them.

use super::Entry;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::models::{ListObject, Model, ModelDeleted, ModelList, ModelObject};
use crate::engine::Engine;

/// The models of an [`Engine`], as the API lists them.
#[derive(Debug, Clone, Copy)]
pub struct Models<'a> {
    pub(crate) engine: &'a Engine,
}

impl Models<'_> {
    /// All models (MO1): exactly the names that `model` accepts (MO3).
    pub fn list(&self) -> ModelList {
        let entries = self.engine.catalogue().entries();
        let data = entries.iter().flat_map(|entry| entry.names().into_iter().map(|name| object(name, entry)));
        ModelList { object: ListObject::List, data: data.collect() }
    }

    /// One model.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown name (MO2).
    pub fn retrieve(&self, name: &str) -> Result<Model> {
        let entry = self.engine.catalogue().find(name)?;
        Ok(object(name.to_owned(), &entry))
    }

    /// Unloads a model that [`Engine::load`] has loaded, as [`Engine::unload`] does (MO3). Callers through
    /// the door can do this too, and so not to the models that the engine was built with.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown name, `PermissionDenied` for a model that the engine was built with.
    ///
    /// ```no_run
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// engine.load("coder", "coder.gguf")?;
    /// assert!(engine.models().delete("coder")?.deleted);
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn delete(&self, name: &str) -> Result<ModelDeleted> {
        self.engine.check_open()?;
        let catalogue = self.engine.catalogue();
        let entry = catalogue.find(name)?;
        if !entry.is_removable {
            let message = format!("the model '{}' belongs to the engine and cannot be deleted", entry.id());
            return Err(Error::new(ErrorKind::PermissionDenied, message).with_param("model"));
        }
        catalogue.unload(&entry);
        Ok(ModelDeleted { id: name.to_owned(), object: ModelObject::Model, deleted: true })
    }
}

fn object(name: String, entry: &Entry) -> Model {
    Model { id: name, object: ModelObject::Model, created: entry.created(), owned_by: "zerohop".to_owned() }
}
