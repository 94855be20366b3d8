//! How the API's classes are defined: by their fields.
//!
//! Names, modules and orders are those of openai's SDK, so that `openai.types` in a program may become
//! `zerohop.types`, and so that the objects print alike.

use pyo3::PyClass;
use pyo3::pyclass_init::PyClassInitializer;

use super::base::BaseModel;

/// A class of objects, by what they hold.
pub(super) trait Model: PyClass {
    fn of(model: BaseModel) -> PyClassInitializer<Self>;
}

impl Model for BaseModel {
    fn of(model: BaseModel) -> PyClassInitializer<Self> {
        model.into()
    }
}

/// Defines a Python class and its schema for each entry: the class's name in `zerohop._native`, in
/// parentheses the class that it extends if that is not `BaseModel`, its schema, its own name and module,
/// and its fields.
macro_rules! classes {
    ($(
        $(#[$attribute:meta])*
        $class:ident $(($parent:ident))?, $schema:ident, $name:literal, $module:literal {
            $($field:ident: $spec:expr,)*
        }
        $(+ { $($methods:tt)* })?
    )*) => {
        $(
            $crate::types::classes::class! {
                [$($parent)?]
                $(#[$attribute])*
                $class, $schema, $name, $module {
                    $($field: $spec,)*
                }
                $($($methods)*)?
            }
        )*

        /// Every class's schema.
        pub(super) static SCHEMAS: &[&$crate::types::Schema] = &[$(&$schema),*];

        /// Adds the classes to the native module.
        pub(super) fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
            $(module.add(stringify!($class), module.py().get_type::<$class>())?;)*
            Ok(())
        }
    };
}

/// Defines one of the classes.
macro_rules! class {
    ([] $($definition:tt)*) => { $crate::types::classes::class! { [BaseModel] $($definition)* } };
    (
        [$parent:ident]
        $(#[$attribute:meta])*
        $class:ident, $schema:ident, $name:literal, $module:literal {
            $($field:ident: $spec:expr,)*
        }
        $($methods:tt)*
    ) => {
        pub(crate) static $schema: $crate::types::Schema = $crate::types::Schema {
            name: $name,
            fields: &[$($crate::types::schema::Field {
                name: $crate::types::classes::field_name(stringify!($field)),
                spec: $spec,
            }),*],
            class: |py| py.get_type::<$class>(),
            instance: |py, model| Ok(Bound::new(py, <$class as $crate::types::classes::Model>::of(model))?.into_any()),
        };

        #[pyclass(frozen, extends = $parent, name = $name, module = $module)]
        $(#[$attribute])*
        pub(crate) struct $class;

        impl $crate::types::classes::Model for $class {
            fn of(model: BaseModel) -> PyClassInitializer<Self> {
                <$parent as $crate::types::classes::Model>::of(model).add_subclass($class)
            }
        }

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = (**fields))]
            fn new(
                py: Python<'_>,
                fields: Option<&Bound<'_, pyo3::types::PyDict>>,
            ) -> PyResult<PyClassInitializer<Self>> {
                let model = BaseModel::from_keywords(py, &$schema, fields)?;
                Ok(<Self as $crate::types::classes::Model>::of(model))
            }

            /// For `match` statements: the fields in their order.
            #[classattr]
            fn __match_args__(py: Python<'_>) -> PyResult<Bound<'_, pyo3::types::PyTuple>> {
                pyo3::types::PyTuple::new(py, $schema.fields.iter().map(|field| field.name))
            }

            $(
                #[getter]
                fn $field<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
                    const NAME: &str = $crate::types::classes::field_name(stringify!($field));
                    slf.as_any().cast::<BaseModel>()?.get().field(slf.py(), NAME)
                }
            )*

            $($methods)*
        }
    };
}

pub(super) use {class, classes};

/// A field's name as Python has it: `type` is a keyword in Rust alone.
pub(super) const fn field_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}
