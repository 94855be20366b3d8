//! The list of models (MO1).

use serde::{Deserialize, Serialize};

/// One model that requests may name.
///
/// ```
/// use zerohop::types::Model;
///
/// let json = r#"{"id": "chat", "object": "model", "created": 1700000000, "owned_by": "zerohop"}"#;
/// let model: Model = serde_json::from_str(json).unwrap();
/// assert_eq!(model.id, "chat");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Model {
    /// The name that a request's `model` takes.
    pub id: String,
    /// Always `model`.
    pub object: ModelObject,
    /// When the model was made, in seconds since 1970.
    pub created: u64,
    /// Who provides the model.
    pub owned_by: String,
}

/// The fixed `object` of a [`Model`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelObject {
    /// `model`
    #[default]
    #[serde(rename = "model")]
    Model,
}

/// What is left of a model that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelDeleted {
    /// The name that it was deleted by.
    pub id: String,
    /// Always `model`.
    pub object: ModelObject,
    /// Always true.
    pub deleted: bool,
}

/// Every model that requests may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelList {
    /// Always `list`.
    pub object: ListObject,
    /// The models.
    pub data: Vec<Model>,
}

/// The fixed `object` of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListObject {
    /// `list`
    #[default]
    #[serde(rename = "list")]
    List,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn list_has_the_documented_shape() {
        // MO1
        let list = ModelList {
            object: ListObject::List,
            data: vec![Model {
                id: "org/name:tag".to_owned(),
                object: ModelObject::Model,
                created: 1,
                owned_by: "zerohop".to_owned(),
            }],
        };
        let expected = json!({
            "object": "list",
            "data": [{"id": "org/name:tag", "object": "model", "created": 1, "owned_by": "zerohop"}],
        });
        assert_eq!(serde_json::to_value(&list).unwrap(), expected);
        assert_eq!(serde_json::from_value::<ModelList>(expected).unwrap(), list);
    }

    #[test]
    fn another_object_is_no_model() {
        let other = json!({"id": "a", "object": "file", "created": 1, "owned_by": "b"});
        assert!(serde_json::from_value::<Model>(other).is_err());
    }
}
