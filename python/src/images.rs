//! Images of texts and of images.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::Caller;
use crate::method::Method;
use crate::reply::Reading;
use crate::types;
use crate::upload::Upload;

static GENERATE: Method = Method {
    name: "Images.generate",
    path: "/v1/images/generations",
    parameters: &[
        "prompt",
        "background",
        "complexity",
        "frame_count",
        "frame_duration_ms",
        "model",
        "moderation",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "quality",
        "response_format",
        "safety_identifier",
        "size",
        "stream",
        "style",
        "svg",
        "user",
    ],
    required: &["prompt"],
    iterables: &[],
    reading: READING,
};

static EDIT: Upload = Upload {
    name: "Images.edit",
    path: "/v1/images/edits",
    parameters: &[
        "image",
        "prompt",
        "background",
        "complexity",
        "frame_count",
        "frame_duration_ms",
        "input_fidelity",
        "markup",
        "mask",
        "model",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "quality",
        "response_format",
        "safety_identifier",
        "size",
        "stream",
        "svg",
        "user",
    ],
    required: &["image", "prompt"],
    files: FILES,
    reading: |_| READING,
};

static VARY: Upload = Upload {
    name: "Images.create_variation",
    path: "/v1/images/variations",
    parameters: &["image", "model", "n", "response_format", "size", "user"],
    required: &["image"],
    files: FILES,
    reading: |_| READING,
};

const READING: Reading = Reading::ObjectOrStream(&types::IMAGES_RESPONSE, types::IMAGE_STREAM_EVENT);

/// The parameters that are files.
const FILES: &[&str] = &["image", "mask"];

/// The images of an engine. Parameters that the engine does not serve are its own to refuse.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Images(pub(crate) Caller);

#[pymethods]
impl Images {
    /// Makes images of a text.
    ///
    /// The parameters are the API's; `model` may be left out if the engine has one model. What the API does
    /// not have goes into `extra_body`: `seed`, `steps`, `cfg_scale`, `sampler`, `scheduler` and
    /// `negative_prompt`. Gives an `ImagesResponse`, whose `data` have the files in `b64_json`, or a `Stream`
    /// of events if `stream` is true. `timeout` is the number of seconds that the answer, or each event, may
    /// take; none by default.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, prompt, background=..., complexity=..., frame_count=..., frame_duration_ms=..., model=..., moderation=..., n=..., output_compression=..., output_format=..., partial_images=..., quality=..., response_format=..., safety_identifier=..., size=..., stream=..., style=..., svg=..., user=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn generate<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        GENERATE.send(py, &self.0, arguments)
    }

    /// Paints an image anew, in parts or as a whole.
    ///
    /// `image` and `mask` are what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and one
    /// of these; `image` may be a list of them for models that take several. Only what is transparent in `mask`
    /// changes. `extra_body` may have `strength` too, from 0 to 1. The rest is as in `generate`.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, image, prompt, background=..., complexity=..., frame_count=..., frame_duration_ms=..., input_fidelity=..., markup=..., mask=..., model=..., n=..., output_compression=..., output_format=..., partial_images=..., quality=..., response_format=..., safety_identifier=..., size=..., stream=..., svg=..., user=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn edit<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        EDIT.send(py, &self.0, arguments)
    }

    /// Makes images that are like another. The parameters are those of `edit`, as far as there are any.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, image, model=..., n=..., response_format=..., size=..., user=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn create_variation<'py>(
        &self,
        py: Python<'py>,
        arguments: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        VARY.send(py, &self.0, arguments)
    }

    fn __repr__(&self) -> String {
        format!("<images of {}>", self.0)
    }
}
