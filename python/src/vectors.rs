//! The vectors of a reply, in one piece of memory that Python reads in place.

use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use zerohop::types::CreateEmbeddingResponse;

use crate::errors;
use crate::json::{Fields, Json};

/// Vectors of one length, one after another.
#[derive(Debug)]
pub(crate) struct Matrix {
    values: Box<[f32]>,
    rows: usize,
    dimensions: usize,
}

/// One of the vectors of a matrix.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    matrix: Arc<Matrix>,
    index: usize,
}

impl Row {
    pub(crate) fn values(&self) -> &[f32] {
        &self.matrix.values[self.index * self.matrix.dimensions..][..self.matrix.dimensions]
    }
}

impl Matrix {
    /// `None` if the vectors' lengths differ.
    fn of<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Option<Self> {
        let mut values = Vec::new();
        let (mut rows, mut dimensions) = (0, 0);
        for vector in vectors {
            if rows > 0 && vector.len() != dimensions {
                return None;
            }
            dimensions = vector.len();
            rows += 1;
            values.extend_from_slice(vector);
        }
        Some(Matrix { values: values.into(), rows, dimensions })
    }
}

/// Reads a reply whose vectors are base64 text, into one piece of memory.
///
/// # Errors
///
/// What is wrong with the reply.
pub(crate) fn read_reply(body: &[u8]) -> Result<Json, String> {
    let mut reply: CreateEmbeddingResponse = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let vectors: Vec<Vec<f32>> =
        reply.data.iter_mut().map(|embedding| std::mem::take(&mut embedding.embedding.values)).collect();
    let matrix = Matrix::of(vectors.iter().map(Vec::as_slice)).ok_or("the vectors' lengths differ")?;
    let matrix = Arc::new(matrix);
    let mut json = Json::of(&reply).map_err(|error| error.to_string())?;
    for (index, embedding) in embeddings(&mut json).enumerate() {
        embedding.set("embedding", Json::Row(Row { matrix: matrix.clone(), index }));
    }
    Ok(json)
}

fn embeddings(reply: &mut Json) -> impl Iterator<Item = &mut Fields> {
    let data = match reply {
        Json::Object(fields) => Arc::make_mut(fields).get_mut("data"),
        _ => None,
    };
    let items = match data {
        Some(Json::List(items)) => items.as_mut_slice(),
        _ => &mut [],
    };
    items.iter_mut().filter_map(|item| match item {
        Json::Object(fields) => Some(Arc::make_mut(fields)),
        _ => None,
    })
}

/// The vectors of a reply, 32-bit floats in one piece of memory.
///
/// `numpy.asarray(vectors)`, `memoryview(vectors)` and everything else that reads Python's buffers sees
/// them in place, as an array of `shape`: nothing is copied, and the memory stays as long as any of
/// them does. It cannot be written to.
#[pyclass(frozen, module = "zerohop")]
pub(crate) struct Vectors {
    matrix: Arc<Matrix>,
    /// Where buffers point to, which keep this object.
    shape: [ffi::Py_ssize_t; 2],
    strides: [ffi::Py_ssize_t; 2],
}

#[pymethods]
impl Vectors {
    /// The number of vectors, and how many numbers each has.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        (self.matrix.rows, self.matrix.dimensions)
    }

    fn __len__(&self) -> usize {
        self.matrix.rows
    }

    fn __repr__(&self) -> String {
        format!("<zerohop.Vectors of shape {:?}>", self.shape())
    }

    /// # Safety
    ///
    /// `view` is NULL or may be written, as CPython promises.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("there is no view to fill"));
        }
        // SAFETY: not NULL, so that CPython lets it be written; it need not be initialised.
        unsafe { (*view).obj = ptr::null_mut() };
        let has = |flag: c_int| flags & flag == flag;
        if has(ffi::PyBUF_WRITABLE) {
            return Err(PyBufferError::new_err("the vectors cannot be written to"));
        }
        let this = slf.get();
        if has(ffi::PyBUF_F_CONTIGUOUS) && this.matrix.rows > 1 && this.matrix.dimensions > 1 {
            return Err(PyBufferError::new_err("the vectors lie one after another, row by row"));
        }
        let filled = ffi::Py_buffer {
            buf: this.matrix.values.as_ptr().cast_mut().cast(),
            len: (size_of_val(&*this.matrix.values)).cast_signed(),
            itemsize: size_of::<f32>().cast_signed(),
            readonly: 1,
            ndim: if has(ffi::PyBUF_ND) { 2 } else { 1 },
            format: if has(ffi::PyBUF_FORMAT) { c"f".as_ptr().cast_mut() } else { ptr::null_mut() },
            shape: if has(ffi::PyBUF_ND) { this.shape.as_ptr().cast_mut() } else { ptr::null_mut() },
            strides: if has(ffi::PyBUF_STRIDES) { this.strides.as_ptr().cast_mut() } else { ptr::null_mut() },
            suboffsets: ptr::null_mut(),
            internal: ptr::null_mut(),
            obj: slf.into_any().into_ptr(),
        };
        // SAFETY: as above. What the view points to belongs to the object that it now keeps, which
        // neither moves nor changes: it is frozen, and CPython's objects stay where they are.
        unsafe { view.write(filled) };
        Ok(())
    }
}

/// The vectors of a reply object: in place where they came so, or else copied together.
///
/// # Errors
///
/// `InvalidArgumentError` for data that is no list of vectors of one length.
pub(crate) fn of_reply(py: Python<'_>, data: Option<&Json>) -> PyResult<Vectors> {
    let matrix = data.and_then(shared).or_else(|| data.and_then(gathered).map(Arc::new));
    let matrix = matrix.ok_or_else(|| {
        errors::invalid_argument(py, "the embeddings are no lists of as many numbers each: base64 text stays text")
    })?;
    let size = size_of::<f32>();
    let (shape, strides) = ([matrix.rows, matrix.dimensions], [matrix.dimensions * size, size]);
    Ok(Vectors { matrix, shape: shape.map(usize::cast_signed), strides: strides.map(usize::cast_signed) })
}

fn vectors(data: &Json) -> Option<impl Iterator<Item = Option<&Json>>> {
    let Json::List(items) = data else { return None };
    Some(items.iter().map(|item| match item {
        Json::Object(fields) => fields.get("embedding"),
        _ => None,
    }))
}

/// The matrix whose rows, in order, these all are.
fn shared(data: &Json) -> Option<Arc<Matrix>> {
    let mut matrix: Option<&Arc<Matrix>> = None;
    let mut count = 0;
    for (index, vector) in vectors(data)?.enumerate() {
        let Some(Json::Row(row)) = vector else { return None };
        if row.index != index || !Arc::ptr_eq(&row.matrix, matrix.get_or_insert(&row.matrix)) {
            return None;
        }
        count += 1;
    }
    matrix.filter(|matrix| matrix.rows == count).cloned()
}

fn gathered(data: &Json) -> Option<Matrix> {
    let numbers = |vector: Option<&Json>| match vector? {
        Json::Row(row) => Some(row.values().to_vec()),
        Json::List(items) => items.iter().map(number).collect(),
        _ => None,
    };
    let vectors: Vec<Vec<f32>> = vectors(data)?.map(numbers).collect::<Option<_>>()?;
    Matrix::of(vectors.iter().map(Vec::as_slice))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the vectors have this precision")]
fn number(json: &Json) -> Option<f32> {
    match json {
        Json::Float(value) => Some(*value as f32),
        Json::Int(value) => Some(*value as f32),
        _ => None,
    }
}
